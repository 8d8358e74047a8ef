import { dirname, join } from "node:path";
import { CommandError } from "./failure.ts";
import { isObject } from "./json.ts";

/** Not imported: that takes 20 ms, most of them for parts that only `fs.promises` needs. What is small is read at once. */
const fs = process.getBuiltinModule("node:fs");

type Tree = Readonly<Record<string, unknown>>;

/** The user's `config.json` (behaviour §8.1). Names have dots: `namespaces.local.current`. */
export class ConfigFile {
  readonly path: string;
  #tree: Tree | undefined;

  constructor(path: string) {
    this.path = path;
  }

  /** Undefined for what isn't set, and for what holds further names. A number or truth value is given as text. */
  async get(name: string): Promise<string | undefined> {
    const value = name.split(".").reduce<unknown>((at, key) => ownValue(at, key), await this.#read());
    return value === undefined || value === null || typeof value === "object" ? undefined : String(value);
  }

  /** Writes the file anew in one step, readable by this user alone; everything else in it is kept. */
  async set(name: string, value: string): Promise<void> {
    // Read again: another micro command may have written meanwhile.
    this.#tree = undefined;
    this.#tree = withValue(await this.#read(), name.split("."), value);
    await writeAtomically(this.path, `${JSON.stringify(this.#tree, undefined, "\t")}\n`);
  }

  async #read(): Promise<Tree> {
    this.#tree ??= await readTree(this.path);
    return this.#tree;
  }
}

/** Replaces the file in one step; the new one has mode 0600. Folders on the way are made. */
export async function writeAtomically(path: string, text: string): Promise<void> {
  const { mkdir, rename, writeFile } = fs.promises;
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const temporary = `${path}.${process.pid}.tmp`;
  await writeFile(temporary, text, { mode: 0o600 });
  await rename(temporary, path);
}

export function configPath(home: string): string {
  return join(home, "config.json");
}

async function readTree(path: string): Promise<Tree> {
  let text: string;
  try {
    text = fs.readFileSync(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return {};
    throw new CommandError(1, `cannot read the config file ${path}: ${(error as Error).message}`, 500);
  }
  try {
    const tree: unknown = JSON.parse(text.trim() === "" ? "{}" : text);
    if (isObject(tree)) return tree;
  } catch {
    // Told below, together with JSON that is no object.
  }
  throw new CommandError(
    1,
    `the config file ${path} is damaged: it is not a JSON object. Repair it, or delete it to start with the defaults`,
    500,
  );
}

function ownValue(value: unknown, key: string): unknown {
  return isObject(value) && Object.hasOwn(value, key) ? value[key] : undefined;
}

function withValue(tree: Tree, [key = "", ...rest]: readonly string[], value: string): Tree {
  if (key === "" || key === "__proto__")
    throw new CommandError(1, "a config name is words with dots between them, such as git.baseurl");
  const below = ownValue(tree, key);
  return { ...tree, [key]: rest.length === 0 ? value : withValue(isObject(below) ? below : {}, rest, value) };
}
