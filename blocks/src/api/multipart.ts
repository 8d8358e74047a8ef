import { MicroError } from "@microts/core";

/** One part of a form. */
export interface Part {
  readonly name: string;
  /** Undefined for a plain field. */
  readonly filename: string | undefined;
  readonly content: Buffer;
}

const maxParts = 1000;
const maxHeaderBytes = 8 * 1024;

/** The boundary of a `multipart/form-data` content type. Throws 400 without a valid one (RFC 2046 §5.1.1: at most 70 characters). */
export function boundaryOf(contentType: string): string {
  const match = /;\s*boundary=(?:"([^"\\]{1,70})"|([^\s;"]{1,70}))\s*(?:;|$)/i.exec(contentType);
  const boundary = match?.[1] ?? match?.[2];
  if (boundary === undefined) throw refused("its content type has no valid boundary");
  return boundary;
}

/** The parts of a `multipart/form-data` body (RFC 7578), in order. Throws 400 for a body that isn't one and for more than 1,000 parts. */
export function* partsOf(body: Buffer, boundary: string): Generator<Part, void, undefined> {
  const delimiter = Buffer.from(`\r\n--${boundary}`, "latin1");
  const first = delimiter.subarray(2);
  if (!body.subarray(0, first.length).equals(first)) throw refused("it does not begin with its boundary");
  let at = first.length;
  for (let count = 0; ; count++) {
    const mark = body.toString("latin1", at, at + 2);
    if (mark === "--") return;
    if (mark !== "\r\n") throw refused("a boundary is followed by something else");
    if (count >= maxParts) throw refused(`it has more than ${maxParts} parts`);
    const end = body.indexOf(delimiter, at);
    if (end < 0) throw refused("it ends inside a part");
    yield partOf(body.subarray(at + 2, end));
    at = end + delimiter.length;
  }
}

function partOf(bytes: Buffer): Part {
  const headEnd = bytes.subarray(0, maxHeaderBytes).indexOf("\r\n\r\n");
  if (headEnd < 0) throw refused("a part has no end to its headers");
  const head = bytes.toString("utf8", 0, headEnd);
  const disposition = head.split("\r\n").find((line) => /^content-disposition\s*:/i.test(line)) ?? "";
  const name = parameter(disposition, "name");
  if (!/:\s*form-data\b/i.test(disposition) || name === undefined) throw refused("a part has no name");
  return { name, filename: parameter(disposition, "filename"), content: bytes.subarray(headEnd + 4) };
}

/** A quoted parameter with the escapes that browsers use (HTML: multipart/form-data encoding algorithm). */
function parameter(disposition: string, name: string): string | undefined {
  const value = new RegExp(`;\\s*${name}="([^"]*)"`, "i").exec(disposition)?.[1];
  return value?.replaceAll("%22", '"').replaceAll("%0D", "\r").replaceAll("%0A", "\n");
}

function refused(reason: string): MicroError {
  return MicroError.badRequest("go.micro.api", `The multipart body is refused: ${reason}`);
}
