import { endpoint, service, store } from "@microts/service";
import { z } from "zod";

export default service("tags", {
  change: endpoint({
    description: "Counts tags that were added to or removed from a post",
    input: z.object({ added: z.array(z.string()), removed: z.array(z.string()) }),
    output: z.object({}),
    handler: async ({ added, removed }) => {
      for (const tag of added) await count(tag, 1);
      for (const tag of removed) await count(tag, -1);
      return {};
    },
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

/** Whoever counts at the same time: no change is lost. A count of 0 goes away. */
async function count(tag: string, by: number): Promise<void> {
  await store.update<number>(tag, (posts = 0) => (posts + by > 0 ? posts + by : undefined));
}
