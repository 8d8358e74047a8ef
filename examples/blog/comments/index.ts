import { endpoint, service, store } from "@microts/service";
import { z } from "zod";

const Comment = z.object({ id: z.string(), author: z.string(), text: z.string(), created: z.string() });
type Comment = z.infer<typeof Comment>;

export default service("comments", {
  create: endpoint({
    description: "Adds a comment to a post",
    input: z.object({ post: z.string().min(1), author: z.string().min(1), text: z.string().min(1) }),
    output: Comment,
    handler: async ({ post, author, text }) => {
      const created = new Date().toISOString();
      const comment = { id: crypto.randomUUID(), author, text, created };
      // The time in the key keeps a post's comments in order.
      await store.write(`${post}/${created}/${comment.id}`, comment);
      return comment;
    },
  }),

  list: endpoint({
    description: "A post's comments, oldest first",
    input: z.object({ post: z.string().min(1) }),
    output: z.object({ comments: z.array(Comment) }),
    handler: async ({ post }) => {
      const records = await store.list<Comment>({ prefix: `${post}/` });
      return { comments: records.map(({ value }) => value) };
    },
  }),

  deleteAll: endpoint({
    description: "Removes every comment of a post",
    input: z.object({ post: z.string().min(1) }),
    output: z.object({ deleted: z.int() }),
    handler: async ({ post }) => {
      const keys = await store.keys({ prefix: `${post}/` });
      for (const key of keys) await store.delete(key);
      return { deleted: keys.length };
    },
  }),
});
