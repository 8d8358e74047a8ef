import {
  createCipheriv,
  createDecipheriv,
  createHash,
  createSecretKey,
  type KeyObject,
  randomBytes,
} from "node:crypto";
import { chmod, mkdir, open, readFile, rename } from "node:fs/promises";
import { join } from "node:path";
import { MicroError } from "@microts/core";

const keyBytes = 32;
const version = "1";
const algorithm = "aes-256-gcm";

/** A key from base64 of 32 bytes, as `MICRO_CONFIG_SECRET_KEY` carries it. Throws 400 for anything else, and never repeats it. */
export function parseConfigKey(base64: string): Uint8Array {
  const key = Buffer.from(base64.trim(), "base64");
  if (key.length === keyBytes && /^[\w+/-]{43}=?$/.test(base64.trim())) return key;
  throw MicroError.badRequest(
    "config",
    "the config secret key is not base64 of 32 bytes. Make one with: openssl rand -base64 32",
  );
}

/** The key kept in `<dataDir>/keys/config-secret-key`, readable by this user alone; made at the first call. Throws 500 when it is damaged. */
export async function openConfigKey(dataDir: string): Promise<Uint8Array> {
  const folder = join(dataDir, "keys");
  const path = join(folder, "config-secret-key");
  const known = await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw MicroError.internal("config", `cannot read the config key ${path}: ${error.message}`);
  });
  if (known !== undefined) {
    await chmod(path, 0o600);
    try {
      return parseConfigKey(known);
    } catch {
      throw MicroError.internal(
        "config",
        `the config key ${path} is damaged. Restore it from a backup: secrets can't be read without it`,
      );
    }
  }
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const key = randomBytes(keyBytes);
  const temporary = `${path}.${randomBytes(6).toString("hex")}.tmp`;
  await using file = await open(temporary, "wx", 0o600);
  await file.writeFile(`${key.toString("base64")}\n`);
  await file.sync();
  await rename(temporary, path);
  return key;
}

/**
 * Encrypts single values with AES-256-GCM. What was sealed says with which key, and opens only at the namespace and path it was sealed for.
 * Form: `1.<key id>.<nonce, ciphertext and tag in base64url>`.
 */
export class ConfigSecrets {
  readonly #key: KeyObject | undefined;
  readonly #keyId: string;

  /** Without a key everything stays sealed. */
  constructor(key: Uint8Array | undefined) {
    if (key !== undefined && key.length !== keyBytes) {
      throw MicroError.badRequest("config", `the config secret key has ${key.length} bytes instead of ${keyBytes}`);
    }
    this.#key = key === undefined ? undefined : createSecretKey(key);
    this.#keyId =
      key === undefined ? "" : createHash("sha256").update("micro config key ").update(key).digest("hex").slice(0, 16);
  }

  /** Throws 412 without a key. */
  seal(namespace: string, path: readonly string[], text: string): string {
    const key = this.#require("config.Config.Set");
    const nonce = randomBytes(12);
    const cipher = createCipheriv(algorithm, key, nonce).setAAD(placeOf(namespace, path));
    const sealed = Buffer.concat([nonce, cipher.update(text, "utf8"), cipher.final(), cipher.getAuthTag()]);
    return `${version}.${this.#keyId}.${sealed.toString("base64url")}`;
  }

  /** Throws 412 without the key it was sealed with, 500 when it was changed or moved. */
  open(namespace: string, path: readonly string[], sealed: string): string {
    const at = "config.Config.Get";
    const key = this.#require(at);
    const [form, keyId, data, ...more] = sealed.split(".");
    if (form !== version || keyId === undefined || data === undefined || more.length > 0) throw damaged(at, path);
    if (keyId !== this.#keyId) {
      throw new MicroError(
        412,
        at,
        `the secret at "${path.join(".")}" was sealed with another key. Start the server with that key, or set the secret again`,
      );
    }
    const bytes = Buffer.from(data, "base64url");
    if (bytes.length < 28 || bytes.toString("base64url") !== data) throw damaged(at, path);
    try {
      const decipher = createDecipheriv(algorithm, key, bytes.subarray(0, 12), { authTagLength: 16 });
      decipher.setAAD(placeOf(namespace, path)).setAuthTag(bytes.subarray(-16));
      return Buffer.concat([decipher.update(bytes.subarray(12, -16)), decipher.final()]).toString();
    } catch {
      throw damaged(at, path);
    }
  }

  #require(at: string): KeyObject {
    if (this.#key !== undefined) return this.#key;
    const fix = "Start the server with MICRO_CONFIG_SECRET_KEY set to the key, base64 of 32 bytes";
    throw new MicroError(412, at, `secrets are sealed: the server has no config secret key. ${fix}`);
  }
}

function placeOf(namespace: string, path: readonly string[]): Buffer {
  return Buffer.from(JSON.stringify([version, namespace, ...path]));
}

function damaged(at: string, path: readonly string[]): MicroError {
  return MicroError.internal(
    at,
    `the secret at "${path.join(".")}" can't be opened: it was damaged or moved here. Set it again`,
  );
}
