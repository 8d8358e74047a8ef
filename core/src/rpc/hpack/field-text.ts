/** What an octet is in a field name: 0 is fine; RFC 9110 §5.6.2 lists the octets of a token, RFC 9113 §8.2.1 wants lower case. */
const upperCase = 1;
const noToken = 2;
const nameOctets = new Uint8Array(256).fill(noToken);
for (const fine of "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz") nameOctets[fine.charCodeAt(0)] = 0;
for (const upper of "ABCDEFGHIJKLMNOPQRSTUVWXYZ") nameOctets[upper.charCodeAt(0)] = upperCase;

const colon = 0x3a;

/** Names come again and again, and making a string costs more than finding one: the names seen last, by a hash of their octets. */
const knownNames: (string | undefined)[] = new Array(512).fill(undefined);
const longestKnownName = 64;

/** The name in bytes[start, end) when it is fine and was read lately. */
export function knownName(bytes: Buffer, start: number, end: number): string | undefined {
  const known = knownNames[slotOf(bytes, start, end)];
  return known !== undefined && known.length === end - start && isSame(known, bytes, start) ? known : undefined;
}

/** The name in bytes[start, end). */
export function readName(bytes: Buffer, start: number, end: number, isFine: boolean): string {
  const name = bytes.toString("latin1", start, end);
  if (isFine && name.length <= longestKnownName) knownNames[slotOf(bytes, start, end)] = name;
  return name;
}

function slotOf(bytes: Buffer, start: number, end: number): number {
  const last = Math.min(end, start + longestKnownName);
  let hash = 0;
  for (let i = start; i < last; i++) hash = (Math.imul(hash, 31) + (bytes[i] ?? 0)) | 0;
  return (hash ^ (hash >>> 9)) & 511;
}

function isSame(text: string, bytes: Buffer, start: number): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) !== bytes[start + i]) return false;
  return true;
}

/** The value in bytes[start, end). */
export function readValue(bytes: Buffer, start: number, end: number): string {
  if (end - start > 4) return bytes.toString("latin1", start, end);
  // A call into the runtime costs more than these characters do.
  let value = "";
  for (let i = start; i < end; i++) value += String.fromCharCode(bytes[i] ?? 0);
  return value;
}

/** Why the name in bytes[start, end) is malformed (RFC 9113 §8.2.1); undefined when it is fine. */
export function nameFault(bytes: Buffer, start: number, end: number): string | undefined {
  const first = bytes[start] === colon ? start + 1 : start;
  if (first === end) return "a field name is empty";
  let found = 0;
  for (let i = first; i < end; i++) found |= nameOctets[bytes[i] ?? 0] ?? 0;
  if (found === 0) return undefined;
  return found === upperCase ? "a field name is not in lower case" : "a field name has an invalid character";
}

/** Why the value in bytes[start, end) is malformed (RFC 9113 §8.2.1); undefined when it is fine. */
export function valueFault(bytes: Buffer, start: number, end: number): string | undefined {
  if (start === end) return undefined;
  if (isBlank(bytes[start]) || isBlank(bytes[end - 1])) return "a field value begins or ends with white space";
  // The sign bit shows whether any octet is below 14, without a branch for each: few values have one, and only those are looked at again.
  let signs = 0;
  for (let i = start; i < end; i++) signs |= (bytes[i] ?? 0) - 14;
  if (signs >= 0) return undefined;
  for (let i = start; i < end; i++) {
    const octet = bytes[i];
    if (octet === 0 || octet === 0x0a || octet === 0x0d) return "a field value has a NUL or a line break";
  }
  return undefined;
}

function isBlank(octet: number | undefined): boolean {
  return octet === 0x20 || octet === 0x09;
}
