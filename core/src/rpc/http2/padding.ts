import { frameSizeError } from "./protocol.ts";

/** The length of a padded frame's padding (RFC 9113 §6.1), which stands in its first byte. */
export function paddingOf(bytes: Buffer, start: number, end: number): number {
  const padding = bytes[start];
  if (padding === undefined || start === end) throw frameSizeError("a padded frame without padding length");
  return padding;
}
