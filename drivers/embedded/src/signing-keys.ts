import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPair,
  type KeyObject,
  randomUUID,
} from "node:crypto";
import { chmod, mkdir, open, readFile, rename } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { MicroError } from "@microts/core";

/** What tokens are signed and verified with. */
export interface SigningKeys {
  /** The public key's thumbprint (RFC 7638). */
  readonly keyId: string;
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
}

const generate = promisify(generateKeyPair);
const modulusLength = 3072;

/** A new pair: RSA with 3,072 bits, made off the event loop. */
export async function generateSigningKeys(): Promise<SigningKeys> {
  const { privateKey } = await generate("rsa", { modulusLength });
  return keysOf(privateKey);
}

/** The pair kept in `<dataDir>/keys/`, readable by this user alone; made at the first call. Throws 500 when the file is damaged. */
export async function openSigningKeys(dataDir: string): Promise<SigningKeys> {
  const folder = join(dataDir, "keys");
  const path = join(folder, "signing.pem");
  const known = await load(path);
  if (known !== undefined) return known;
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const keys = await generateSigningKeys();
  await save(path, keys.privateKey.export({ type: "pkcs8", format: "pem" }).toString());
  return keys;
}

async function load(path: string): Promise<SigningKeys | undefined> {
  let pem: string;
  try {
    pem = await readFile(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw MicroError.internal("auth", `cannot read the signing key ${path}: ${(error as Error).message}`);
  }
  await chmod(path, 0o600);
  try {
    const privateKey = createPrivateKey(pem);
    if (privateKey.asymmetricKeyType !== "rsa") throw new Error("not an RSA key");
    return keysOf(privateKey);
  } catch {
    const fix = "Restore it from a backup, or delete it to make a new one: all tokens then need a new sign-in";
    throw MicroError.internal("auth", `the signing key ${path} is damaged. ${fix}`);
  }
}

async function save(path: string, pem: string): Promise<void> {
  const temporary = `${path}.${randomUUID()}.tmp`;
  await using file = await open(temporary, "wx", 0o600);
  await file.writeFile(pem);
  await file.sync();
  await rename(temporary, path);
}

function keysOf(privateKey: KeyObject): SigningKeys {
  const publicKey = createPublicKey(privateKey);
  const { e, kty, n } = publicKey.export({ format: "jwk" });
  const keyId = createHash("sha256").update(JSON.stringify({ e, kty, n })).digest("base64url");
  return { keyId, privateKey, publicKey };
}
