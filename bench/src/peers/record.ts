/** What the store rows write and read: 200 bytes under each of so many keys, again and again. */
export const recordCount = 16_384;
export const recordValue: Buffer = Buffer.alloc(200, "v");

/** The key of the nth operation. */
export function recordKey(operation: number): string {
  return `user/${operation % recordCount}`;
}
