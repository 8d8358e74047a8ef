import { readFile } from "node:fs/promises";
import { basename, extname } from "node:path";

/** The name in the file's first `service("name"`, which is the name it registers under; else the file's own name. */
export async function serviceNameIn(path: string): Promise<string> {
  const text = await readFile(path, "utf8");
  return nameInSource(text) ?? basename(path, extname(path));
}

export function nameInSource(text: string): string | undefined {
  const code = text.replace(/\/\*[\s\S]*?\*\//g, "").replace(/^\s*\/\/.*$/gm, "");
  return /(?<![\w$.])service\s*\(\s*(["'`])([A-Za-z0-9][\w.-]*)\1/.exec(code)?.[2];
}
