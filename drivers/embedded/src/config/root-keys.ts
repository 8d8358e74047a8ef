import { createHash, createSecretKey, type KeyObject, randomBytes } from "node:crypto";
import { chmod, mkdir, open, readFile, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { MicroError } from "@microts/core";
import { keyBytes } from "./cipher.ts";

/** What data keys are wrapped with. Only its id is ever written next to the data. */
export interface RootKey {
  readonly id: string;
  readonly key: KeyObject;
}

export interface RootKeys {
  /** The first wraps, all of them unwrap. None: secrets are sealed. */
  readonly all: readonly RootKey[];
  /** Why there are none, or why one may be missing, and what to do about it. */
  readonly advice: string;
  /** Puts a new key in front. False when keys are not the server's to make. */
  renew(): Promise<boolean>;
  /** Forgets the keys behind the first, when nothing is wrapped with them any more. */
  retire(): Promise<void>;
}

/** Keys that somebody else keeps, the one in use first; or what is wrong with them and how to mend it, which seals secrets. */
export type GivenRootKeys = readonly Uint8Array[] | { readonly problem: string };

const setting = "MICRO_CONFIG_SECRET_KEY";

/** Keys as `MICRO_CONFIG_SECRET_KEY` has them: base64 of 32 bytes; older keys follow after commas. Anything else is a problem, which doesn't repeat it. */
export function parseRootKeys(text: string): GivenRootKeys {
  const keys = keysOf(text.split(","));
  if (keys !== undefined) return keys;
  const mend =
    "Start the server with the key that they were sealed with, or, when there are none yet, with one made by: openssl rand -base64 32";
  return { problem: `${setting} is not base64 of 32 bytes, with older keys after commas. ${mend}` };
}

function keysOf(texts: readonly string[]): Uint8Array[] | undefined {
  const keys = texts.map((text) => {
    const base64 = text.trim();
    const key = Buffer.from(base64, "base64");
    return key.length === keyBytes && /^[\w+/-]{43}=?$/.test(base64) ? [key] : [];
  });
  return keys.every(({ length }) => length === 1) ? keys.flat() : undefined;
}

/** Keys that somebody else keeps. */
export function givenRootKeys(keys: GivenRootKeys): RootKeys {
  if ("problem" in keys) return { ...givenRootKeys([]), advice: keys.problem };
  const advice =
    keys.length === 0
      ? `the server has no key for them. Start it with ${setting}, base64 of 32 bytes`
      : `start the server with the key that they were sealed with behind its own in ${setting}, after a comma`;
  return { all: keys.map(rootKeyOf), advice, renew: async () => false, retire: async () => {} };
}

export interface RootKeyOptions {
  readonly dataDir: string;
  /** From the setting. */
  readonly given: GivenRootKeys | undefined;
  /** Whether there are secrets already: then a key that is missing must not be made anew. */
  readonly isUsed: boolean;
}

/**
 * The given keys, with those of `<dataDir>/keys/config-secret-key` behind them; without a given one the file's, which is made at the first start and
 * readable by this user alone. A file that is missing or damaged, or a problem with what is given, leaves secrets sealed, and the rest of config working: another
 * key, be it the file's, never stands in.
 */
export async function openRootKeys({ dataDir, given, isUsed }: RootKeyOptions): Promise<RootKeys> {
  const path = join(dataDir, "keys", "config-secret-key");
  if (given !== undefined && "problem" in given) return givenRootKeys(given);
  const kept = await readKeys(path);
  if (given !== undefined) return givenRootKeys([...given, ...(Array.isArray(kept) ? kept : [])]);
  if (Array.isArray(kept)) return new FileRootKeys(path, kept);
  const fix = `Restore it from a backup, or start the server with ${setting}`;
  if (kept === undefined && !isUsed) {
    const keys = [randomBytes(keyBytes)];
    await writeKeys(path, keys);
    return new FileRootKeys(path, keys);
  }
  const problem = kept ?? "is missing";
  return { ...givenRootKeys([]), advice: `the server's key file ${path} ${problem}. ${fix}` };
}

class FileRootKeys implements RootKeys {
  readonly advice: string;
  readonly #path: string;
  #keys: readonly Uint8Array[];
  #all: readonly RootKey[];

  constructor(path: string, keys: readonly Uint8Array[]) {
    this.#path = path;
    this.#keys = keys;
    this.#all = keys.map(rootKeyOf);
    this.advice = `add the key that they were sealed with as a line of its own at the end of ${path}, or give it to the server in ${setting}`;
  }

  get all(): readonly RootKey[] {
    return this.#all;
  }

  async renew(): Promise<boolean> {
    await this.#replace([randomBytes(keyBytes), ...this.#keys]);
    return true;
  }

  async retire(): Promise<void> {
    if (this.#keys.length > 1) await this.#replace(this.#keys.slice(0, 1));
  }

  /** On disk before it is used: what is wrapped with a key that is lost is lost. */
  async #replace(keys: readonly Uint8Array[]): Promise<void> {
    await writeKeys(this.#path, keys);
    this.#keys = keys;
    this.#all = keys.map(rootKeyOf);
  }
}

function rootKeyOf(key: Uint8Array): RootKey {
  if (key.length !== keyBytes)
    throw MicroError.badRequest("config", `a config secret key has ${key.length} bytes instead of ${keyBytes}`);
  const id = createHash("sha256").update("micro config key ").update(key).digest("hex").slice(0, 16);
  return { id, key: createSecretKey(key) };
}

/** The keys of the file, one a line; undefined when there is none; else what is wrong with it. */
async function readKeys(path: string): Promise<Uint8Array[] | string | undefined> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
    await chmod(path, 0o600);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    return code === "ENOENT" ? undefined : `can't be read: ${message}`;
  }
  return keysOf(text.trim().split("\n")) ?? "is damaged";
}

/** The file is the old one or the new one, whatever happens meanwhile. */
async function writeKeys(path: string, keys: readonly Uint8Array[]): Promise<void> {
  const folder = dirname(path);
  const temporary = `${path}.${randomBytes(6).toString("hex")}.tmp`;
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    {
      await using file = await open(temporary, "wx", 0o600);
      await file.writeFile(keys.map((key) => `${Buffer.from(key).toString("base64")}\n`).join(""));
      await file.sync();
    }
    await rename(temporary, path);
    await using directory = await open(folder, "r");
    await directory.sync();
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => {});
    const { code, message } = error as NodeJS.ErrnoException;
    throw new MicroError(
      code === "ENOSPC" ? 507 : 500,
      "config",
      `the key file ${path} can't be written: ${message}. It is as it was, and so are all secrets`,
      { cause: error },
    );
  }
}
