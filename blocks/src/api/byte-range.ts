export interface ByteRange {
  readonly offset: number;
  readonly length: number;
}

/** What a `Range` header asks for of so many bytes: undefined for all, which is also the answer to what isn't one range of bytes. */
export function byteRange(header: string | undefined, size: number): ByteRange | "outside" | undefined {
  const found = /^bytes=(?:(\d{1,15})-(\d{1,15})?|-(\d{1,15}))$/.exec(header?.trim() ?? "");
  if (found === null) return undefined;
  const [, from, to, last] = found;
  if (last !== undefined) {
    const length = Math.min(Number(last), size);
    return length === 0 ? "outside" : { offset: size - length, length };
  }
  const offset = Number(from);
  const end = to === undefined ? size : Math.min(Number(to) + 1, size);
  if (to !== undefined && Number(to) < offset) return undefined;
  return offset >= size ? "outside" : { offset, length: end - offset };
}
