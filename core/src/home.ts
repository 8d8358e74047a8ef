import { dirname, join } from "node:path";
import { MicroError } from "./errors.ts";

/** Not imported: that takes 20 ms, most of them for parts that only `fs.promises` needs. What is small is read at once. */
const fs = process.getBuiltinModule("node:fs");

/** What a server leaves for the command line and the services of its own machine: a short-lived admin token, renewed while it runs. */
export interface LocalCredentials {
  /** The proxy address the token is for. */
  readonly address: string;
  readonly namespace: string;
  /** Id of the account. */
  readonly account: string;
  readonly token: string;
  readonly expiry: Date;
}

/** `MICRO_HOME`, or `.micro` in the user's home directory. */
export function homeDir(env: Readonly<Record<string, string | undefined>>): string {
  return env["MICRO_HOME"] || join(env["HOME"] || process.getBuiltinModule("node:os").homedir(), ".micro");
}

/** Where the credentials for a proxy address are kept; `localhost` and `127.0.0.1` are the same. */
export function credentialsPath(home: string, address: string): string {
  const name = address.replace(/^https?:\/\//, "").replace(/^(localhost|0\.0\.0\.0|\[::1?\])?:/, "127.0.0.1:");
  return join(home, "credentials", `${name.replace(/[^0-9A-Za-z.-]/g, "-")}.json`);
}

/** The credentials a server on this machine left for `address`; undefined when there are none or they have expired. Throws 500 for a file that can't be read. */
export async function readLocalCredentials(home: string, address: string): Promise<LocalCredentials | undefined> {
  const path = credentialsPath(home, address);
  let text: string;
  try {
    text = fs.readFileSync(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw MicroError.internal("credentials", `cannot read ${path}: ${(error as Error).message}`);
  }
  try {
    const credentials = credentialsFrom(JSON.parse(text));
    return credentials.expiry.getTime() > Date.now() ? credentials : undefined;
  } catch {
    throw MicroError.internal(
      "credentials",
      `${path} is damaged. Delete it and restart the server, which writes it anew`,
    );
  }
}

/** Throws when a field is missing or isn't what it should be. */
function credentialsFrom(parsed: Record<string, unknown>): LocalCredentials {
  const text = (name: keyof LocalCredentials): string => {
    const value = parsed[name];
    if (typeof value !== "string" || value === "") throw new TypeError(`${name} is missing`);
    return value;
  };
  const expiry = new Date(text("expiry"));
  if (Number.isNaN(expiry.getTime())) throw new TypeError("expiry is not a time");
  return {
    address: text("address"),
    namespace: text("namespace"),
    account: text("account"),
    token: text("token"),
    expiry,
  };
}

/** Writes the credentials, readable by this user alone, replacing the file in one step. */
export async function writeLocalCredentials(home: string, credentials: LocalCredentials): Promise<void> {
  const path = credentialsPath(home, credentials.address);
  const { mkdir, rename, writeFile } = fs.promises;
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const temporary = `${path}.${process.pid}.tmp`;
  await writeFile(temporary, JSON.stringify(credentials), { mode: 0o600 });
  await rename(temporary, path);
}

/** Removes the credentials when the server stops. */
export async function removeLocalCredentials(home: string, address: string): Promise<void> {
  await fs.promises.rm(credentialsPath(home, address), { force: true });
}
