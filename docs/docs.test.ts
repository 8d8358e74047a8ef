import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { glob, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { after, before, describe, it } from "node:test";

const folder = import.meta.dirname;
const tsc = join(folder, "..", "node_modules", "typescript", "bin", "tsc");

/** A fenced block of TypeScript. */
interface Block {
  /** What its first line names (`// posts.ts`), so that other blocks of the page can import it; else made of its place. */
  readonly file: string;
  /** Preceded by as many empty lines as stand before it in the page, so that errors have the page's line. */
  readonly text: string;
}

function blocksOf(markdown: string): Block[] {
  const lines = markdown.split("\n");
  const blocks: Block[] = [];
  for (let at = 0; at < lines.length; at++) {
    if (lines[at] !== "```ts") continue;
    const end = lines.indexOf("```", at);
    const code = lines.slice(at + 1, end < 0 ? undefined : end);
    const file = /^\/\/ ([\w./-]+\.ts)$/.exec(code[0] ?? "")?.[1] ?? `line-${at + 1}.ts`;
    blocks.push({ file, text: `${"\n".repeat(at + 1)}${code.join("\n")}\n` });
    at += code.length;
  }
  return blocks;
}

/** Type-checks the blocks of all pages in one run; each page is a folder. Returns what the compiler says, "" for nothing. */
async function typeCheck(target: string, pages: Readonly<Record<string, string>>): Promise<string> {
  for (const [page, markdown] of Object.entries(pages)) {
    for (const { file, text } of blocksOf(markdown)) {
      const path = join(target, page, file);
      await mkdir(join(path, ".."), { recursive: true });
      await writeFile(path, text);
    }
  }
  const options = {
    extends: join(folder, "..", "tsconfig.json"),
    compilerOptions: { moduleDetection: "force" },
    include: ["."],
  };
  await writeFile(join(target, "tsconfig.json"), JSON.stringify({ ...options, exclude: [] }));
  return new Promise((resolve) => {
    execFile(process.execPath, [tsc, "-p", target, "--pretty", "false"], { cwd: target }, (_error, stdout, stderr) =>
      resolve(stdout + stderr),
    );
  });
}

describe("the guides", () => {
  let target: string;
  const check = join(folder, ".check");

  before(async () => {
    await mkdir(check, { recursive: true });
    target = await mkdtemp(join(check, "run-"));
  });
  after(() => rm(target, { recursive: true, force: true }));

  it("have examples that type-check", { timeout: 60_000 }, async () => {
    const pages: Record<string, string> = {};
    for await (const path of glob("guide/*.md", { cwd: folder })) {
      pages[basename(path)] = await readFile(join(folder, path), "utf8");
    }
    assert.ok(Object.values(pages).flatMap(blocksOf).length > 10);
    assert.equal(await typeCheck(join(target, "guides"), pages), "");
  });

  it("would fail with a wrong example, naming its page and line", { timeout: 60_000 }, async () => {
    const page = "# Page\n\n```ts\nexport const n: number = 1;\n```\n\n```ts\nconst text: string = 1;\n```\n";
    const errors = await typeCheck(join(target, "wrong"), { "page.md": page });
    assert.match(errors, /page\.md\/line-7\.ts\(8,7\): error TS2322/);
    assert.equal(errors.trim().split("\n").length, 1);
  });

  it("link to pages and headings that are there", async () => {
    const pages = new Map<string, string>();
    for await (const path of glob("{guide,reference}/*.md", { cwd: folder })) {
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

/** As GitHub makes them of headings. */
function anchorsOf(markdown: string): ReadonlySet<string> {
  const headings = Array.from(markdown.matchAll(/^#+ (.+)$/gm), ([, text = ""]) => text);
  return new Set(
    headings.map((text) =>
      text
        .toLowerCase()
        .replace(/[^\p{L}\p{N} _-]/gu, "")
        .replaceAll(" ", "-"),
    ),
  );
}
