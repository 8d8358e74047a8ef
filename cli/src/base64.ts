/** The bytes that a text stands for in base64, in either alphabet, padded or not. Undefined when it isn't base64. */
export function bytesOfBase64(text: string): Buffer | undefined {
  const plain = text.replaceAll("-", "+").replaceAll("_", "/").replace(/=+$/, "");
  return /^[A-Za-z0-9+/]*$/.test(plain) && plain.length % 4 !== 1 ? Buffer.from(plain, "base64") : undefined;
}
