import { client, endpoint, errors, service, store } from "@microts/service";
import { z } from "zod";
import type comments from "../comments/index.ts";
import type tags from "../tags/index.ts";

const Post = z.object({
  slug: z.string().describe("The title in lower case with dashes; the post's id"),
  title: z.string(),
  content: z.string(),
  tags: z.array(z.string()),
  created: z.string().describe("ISO 8601"),
});
type Post = z.infer<typeof Post>;

const commentService = client<typeof comments>("comments");
const tagService = client<typeof tags>("tags");

export default service("posts", {
  save: endpoint({
    description: "Writes a post, or replaces the one with the same title, and keeps the tags' counts right",
    input: z.object({ title: z.string().min(1), content: z.string(), tags: z.array(z.string().min(1)).default([]) }),
    output: Post,
    handler: async ({ title, content, tags }) => {
      const slug = slugOf(title);
      const old = await store.read<Post>(slug);
      const post = { slug, title, content, tags, created: old?.created ?? new Date().toISOString() };
      await store.write(slug, post);
      await tagService.change({
        added: tags.filter((tag) => !old?.tags.includes(tag)),
        removed: old?.tags.filter((tag) => !tags.includes(tag)) ?? [],
      });
      return post;
    },
  }),

  read: endpoint({
    description: "One post with its comments",
    input: z.object({ slug: z.string() }),
    output: Post.extend({ comments: z.array(z.object({ author: z.string(), text: z.string() })) }),
    handler: async ({ slug }) => {
      const post = await find(slug);
      const { comments } = await commentService.list({ post: slug });
      return { ...post, comments };
    },
  }),

  list: endpoint({
    description: "Posts by slug, all or those with a tag",
    input: z.object({
      tag: z.string().optional(),
      limit: z.int().min(1).max(100).default(20),
      offset: z.int().min(0).default(0),
    }),
    output: z.object({ posts: z.array(Post) }),
    handler: async ({ tag, limit, offset }) => {
      const all = await store.list<Post>();
      const posts = all.map(({ value }) => value).filter((post) => tag === undefined || post.tags.includes(tag));
      return { posts: posts.slice(offset, offset + limit) };
    },
  }),

  delete: endpoint({
    description: "Removes a post, its comments and its part in the tags' counts",
    input: z.object({ slug: z.string() }),
    output: z.object({}),
    handler: async ({ slug }) => {
      const post = await find(slug);
      await commentService.deleteAll({ post: slug });
      await tagService.change({ added: [], removed: post.tags });
      await store.delete(slug);
      return {};
    },
  }),
});

async function find(slug: string): Promise<Post> {
  const post = await store.read<Post>(slug);
  if (post === undefined) throw errors.notFound(`there is no post "${slug}"`);
  return post;
}

function slugOf(title: string): string {
  const slug = title
    .toLowerCase()
    .replace(/[^\p{L}\p{N}]+/gu, "-")
    .replace(/^-|-$/g, "");
  if (slug === "") throw errors.badRequest(`the title "${title}" has no letter or digit to make a slug of`);
  return slug;
}
