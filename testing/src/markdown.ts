import { execFile } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";

const root = join(import.meta.dirname, "..", "..");
const tsc = join(root, "node_modules", "typescript", "bin", "tsc");

/** A fenced block of TypeScript. */
export interface Block {
  /** What its first line names (`// posts.ts`), so that other blocks of the page can import it; else made of its place. */
  readonly file: string;
  /** Preceded by as many empty lines as stand before it in the page, so that errors have the page's line. */
  readonly text: string;
}

/** The fenced blocks of TypeScript of a page. */
export function blocksOf(markdown: string): Block[] {
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
export async function typeCheck(target: string, pages: Readonly<Record<string, string>>): Promise<string> {
  for (const [page, markdown] of Object.entries(pages)) {
    for (const { file, text } of blocksOf(markdown)) {
      const path = join(target, page, file);
      await mkdir(join(path, ".."), { recursive: true });
      await writeFile(path, text);
    }
  }
  const options = {
    extends: join(root, "tsconfig.json"),
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

/** The anchors of a page's headings, as GitHub makes them. */
export function anchorsOf(markdown: string): ReadonlySet<string> {
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
