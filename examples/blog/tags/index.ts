import { endpoint, service, store } from "@microts/service";
import { z } from "zod";

export default service("tags", {
  change: endpoint({
    description: "Counts tags that were added to or removed from a post",
    input: z.object({ added: z.array(z.string()), removed: z.array(z.string()) }),
    output: z.object({}),
    handler: ({ added, removed }) =>
      inTurn(async () => {
        for (const tag of added) await count(tag, 1);
        for (const tag of removed) await count(tag, -1);
        return {};
      }),
  }),

  list: endpoint({
    description: "Every tag in use with the number of its posts",
    output: z.object({ tags: z.array(z.object({ tag: z.string(), posts: z.int() })) }),
    handler: async () => {
      const records = await store.list<number>();
      return { tags: records.map(({ key, value }) => ({ tag: key, posts: value })) };
    },
  }),
});

async function count(tag: string, by: number): Promise<void> {
  const posts = ((await store.read<number>(tag)) ?? 0) + by;
  if (posts > 0) await store.write(tag, posts);
  else await store.delete(tag);
}

let last: Promise<unknown> = Promise.resolve();

/** Runs one change after the other: reading a count and writing it back must not interleave. */
function inTurn<T>(change: () => Promise<T>): Promise<T> {
  const result = last.then(change);
  last = result.catch(() => {});
  return result;
}
