import { createCipheriv, createDecipheriv, type KeyObject, randomBytes } from "node:crypto";

const algorithm = "aes-256-gcm";
const nonceBytes = 12;
const tagBytes = 16;

/** Bytes of every key. */
export const keyBytes = 32;

/** AES-256-GCM: nonce, ciphertext and tag. What was encrypted opens only together with the same `place`, which is not in it. */
export function encrypt(key: KeyObject, place: readonly unknown[], plain: Uint8Array): Buffer {
  const nonce = randomBytes(nonceBytes);
  const cipher = createCipheriv(algorithm, key, nonce, { authTagLength: tagBytes }).setAAD(bytesOf(place));
  return Buffer.concat([nonce, cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
}

/** What was encrypted, or undefined when key or place are others or a bit has changed. */
export function decrypt(key: KeyObject, place: readonly unknown[], sealed: Uint8Array): Buffer | undefined {
  if (sealed.length < nonceBytes + tagBytes) return undefined;
  try {
    const decipher = createDecipheriv(algorithm, key, sealed.subarray(0, nonceBytes), { authTagLength: tagBytes });
    decipher.setAAD(bytesOf(place)).setAuthTag(sealed.subarray(-tagBytes));
    return Buffer.concat([decipher.update(sealed.subarray(nonceBytes, -tagBytes)), decipher.final()]);
  } catch {
    return undefined;
  }
}

function bytesOf(place: readonly unknown[]): Buffer {
  return Buffer.from(JSON.stringify(place));
}
