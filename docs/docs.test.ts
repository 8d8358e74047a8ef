import assert from "node:assert/strict";
import { glob, mkdir, mkdtemp, readFile, rm } from "node:fs/promises";
import { basename, join } from "node:path";
import { after, before, describe, it } from "node:test";
import { anchorsOf, blocksOf, typeCheck } from "../testing/src/markdown.ts";

const folder = import.meta.dirname;
describe("the guides", () => {
  let target: string;
  const check = join(folder, ".check");

  before(async () => {
    await mkdir(check, { recursive: true });
    target = await mkdtemp(join(check, "run-"));
  });
  after(() => rm(target, { recursive: true, force: true }));

  it("have examples that type-check", { timeout: 280_000 }, async () => {
    const pages: Record<string, string> = {};
    for await (const path of glob("guide/*.md", { cwd: folder })) {
      pages[basename(path)] = await readFile(join(folder, path), "utf8");
    }
    assert.ok(Object.values(pages).flatMap(blocksOf).length > 10);
    assert.equal(await typeCheck(join(target, "guides"), pages), "");
  });

  it("would fail with a wrong example, naming its page and line", { timeout: 280_000 }, async () => {
    const page = "# Page\n\n```ts\nexport const n: number = 1;\n```\n\n```ts\nconst text: string = 1;\n```\n";
    const errors = await typeCheck(join(target, "wrong"), { "page.md": page });
    assert.match(errors, /page\.md\/line-7\.ts\(8,7\): error TS2322/);
    assert.equal(errors.trim().split("\n").length, 1);
  });

  it("link to pages and headings that are there", async () => {
    const pages = new Map<string, string>();
    for await (const path of glob("{guide,reference,decisions}/*.md", { cwd: folder })) {
      pages.set(join(folder, path), await readFile(join(folder, path), "utf8"));
    }
    for (const [path, text] of pages) {
      for (const [, link = "", anchor] of text.matchAll(/\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)/g)) {
        const to = link === "" ? path : join(path, "..", link);
        const found = pages.get(to) ?? (await readFile(to, "utf8").catch(() => undefined));
        assert.ok(found !== undefined, `${basename(path)} links to ${link}, which is not there`);
        if (anchor !== undefined)
          assert.ok(anchorsOf(found).has(anchor), `${basename(path)} links to ${link}#${anchor}`);
      }
    }
  });
});
