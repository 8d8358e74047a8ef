import { readFile } from "node:fs/promises";
import { dirname, join, relative, sep } from "node:path";
import ignore, { type Ignore } from "ignore";

/** Never part of a service: what it installs again, what belongs to tools, and secrets. */
const always = /^(node_modules|\.git|\.hg|\.svn|\.DS_Store|\.env(\..*)?)$/;

interface Level {
  readonly folder: string;
  readonly rules: readonly Ignore[];
}

/**
 * Which files of a folder are left out: those of its `.gitignore` and `.microignore` files, and of those in the folders above up to the git
 * repository's root. A file nearer to what it speaks of goes before one farther away, and `.microignore` before `.gitignore`.
 */
export class IgnoreRules {
  readonly #levels: readonly Level[];

  private constructor(levels: readonly Level[]) {
    this.#levels = levels;
  }

  /** The rules that hold at the top of `folder`. */
  static async at(folder: string, repository: string | undefined): Promise<IgnoreRules> {
    const above = repository === undefined ? [] : foldersBetween(repository, folder);
    let rules = new IgnoreRules([]);
    for (const each of [...above, folder]) rules = await rules.inside(each);
    return rules;
  }

  /** The same with the rules of a folder further down added. */
  async inside(folder: string): Promise<IgnoreRules> {
    const texts = await Promise.all(
      [".gitignore", ".microignore"].map((name) => readFile(join(folder, name), "utf8").catch(() => "")),
    );
    const rules = texts.filter((text) => text !== "").map((text) => ignore().add(text));
    return rules.length === 0 ? this : new IgnoreRules([...this.#levels, { folder, rules }]);
  }

  isIgnored(path: string, isFolder: boolean): boolean {
    if (always.test(path.slice(path.lastIndexOf(sep) + 1))) return true;
    let ignored = false;
    for (const { folder, rules } of this.#levels) {
      const inside = relative(folder, path).split(sep).join("/") + (isFolder ? "/" : "");
      for (const rule of rules) {
        const result = rule.test(inside);
        if (result.ignored) ignored = true;
        if (result.unignored) ignored = false;
      }
    }
    return ignored;
  }
}

/** From the outermost to the parent of `inner`. */
function foldersBetween(outer: string, inner: string): string[] {
  const folders: string[] = [];
  for (let at = inner; at !== outer && dirname(at) !== at; ) {
    at = dirname(at);
    folders.unshift(at);
  }
  return folders;
}
