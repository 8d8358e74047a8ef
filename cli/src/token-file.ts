import { writeAtomically } from "./config-file.ts";
import { CommandError } from "./failure.ts";
import { isObject } from "./json.ts";

/** Not imported: that takes 20 ms, most of them for parts that only `fs.promises` needs. What is small is read at once. */
const fs = process.getBuiltinModule("node:fs");

/** Who is signed in where. */
export interface TokenOwner {
  readonly address: string;
  readonly namespace: string;
  readonly account: string;
}

export interface StoredToken {
  readonly accessToken: string;
  /** Empty when there is none: the token ends with its expiry. */
  readonly refreshToken: string;
  readonly created: Date;
  readonly expiry: Date;
}

/** The user's `tokens` file, one line per login, as the original has it (behaviour §8.1). Mode 0600. */
export class TokenFile {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  async get(owner: TokenOwner): Promise<StoredToken | undefined> {
    const encoded = (await this.#lines()).get(keyOf(owner));
    if (encoded === undefined) return undefined;
    const token = decodeToken(encoded);
    if (token === undefined)
      throw new CommandError(
        1,
        `the login of ${owner.account} in ${this.path} is damaged. Sign in again with: micro login`,
        500,
      );
    return token;
  }

  async set(owner: TokenOwner, token: StoredToken): Promise<void> {
    const lines = await this.#lines();
    lines.set(keyOf(owner), encodeToken(token));
    await this.#write(lines);
  }

  /** Removing what isn't there is no error. */
  async delete(owner: TokenOwner): Promise<void> {
    const lines = await this.#lines();
    if (lines.delete(keyOf(owner))) await this.#write(lines);
  }

  /** Key → base64; keys hold colons, so the last one divides. Lines without one are dropped. */
  async #lines(): Promise<Map<string, string>> {
    let text: string;
    try {
      text = fs.readFileSync(this.path, "utf8");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return new Map();
      throw new CommandError(1, `cannot read ${this.path}: ${(error as Error).message}`, 500);
    }
    const lines = text.split("\n").map((line) => line.trim());
    return new Map(
      lines
        .filter((line) => line.includes(":"))
        .map((line) => [line.slice(0, line.lastIndexOf(":")), line.slice(line.lastIndexOf(":") + 1)]),
    );
  }

  async #write(lines: ReadonlyMap<string, string>): Promise<void> {
    await writeAtomically(this.path, [...lines].map(([key, value]) => `${key}:${value}\n`).join(""));
  }
}

function keyOf({ address, namespace, account }: TokenOwner): string {
  // As the original writes it, except for what would break the line.
  return `micro://${address}/${namespace}/${account.replace(/[\s%\p{Cc}]/gu, encodeURIComponent)}`;
}

function encodeToken({ accessToken, refreshToken, created, expiry }: StoredToken): string {
  const json = {
    access_token: accessToken,
    refresh_token: refreshToken,
    created: created.toISOString(),
    expiry: expiry.toISOString(),
  };
  return Buffer.from(JSON.stringify(json)).toString("base64");
}

function decodeToken(encoded: string): StoredToken | undefined {
  try {
    const parsed: unknown = JSON.parse(Buffer.from(encoded, "base64").toString());
    if (!isObject(parsed)) return undefined;
    const { access_token: accessToken, refresh_token: refreshToken, created, expiry } = parsed;
    const expires = new Date(String(expiry));
    if (typeof accessToken !== "string" || Number.isNaN(expires.getTime())) return undefined;
    return {
      accessToken,
      refreshToken: String(refreshToken ?? ""),
      created: new Date(String(created)),
      expiry: expires,
    };
  } catch {
    return undefined;
  }
}
