import { GrpcStatus, MicroError } from "../errors.ts";
import { isMetadataKey, type Metadata } from "../metadata.ts";
import { formatGrpcTimeout } from "./deadline.ts";
import { decodeStatusMessage, encodeStatusMessage } from "./status.ts";
import type { CallStart, Status } from "./transport.ts";

/** Header lists of calls as they stand on the wire: name, value, name, value … */

const okTrailers: readonly string[] = ["grpc-status", "0"];

/** The request headers of a call (gRPC over HTTP/2, Requests; wire §2). Throws 400 for metadata that no header can carry. */
export function requestFields(start: CallStart, authority: string, isTls: boolean): string[] {
  const { path, contentType, metadata, deadline, compress } = start;
  const fields = [
    ":method",
    "POST",
    ":scheme",
    isTls ? "https" : "http",
    ":path",
    path,
    ":authority",
    authority,
    "content-type",
    contentType,
    "te",
    "trailers",
    "user-agent",
    "micro-ts",
  ];
  if (compress === true) fields.push("grpc-encoding", "gzip");
  fields.push("grpc-accept-encoding", "identity,gzip");
  pushMetadata(fields, metadata);
  if (deadline !== undefined) pushDeadline(fields, deadline);
  return fields;
}

/** The time left, in gRPC's header and in Micro's, which is in nanoseconds (wire §2.2). */
export function pushDeadline(fields: string[], deadline: Date): void {
  const left = Math.max(1, deadline.getTime() - Date.now());
  fields.push("grpc-timeout", formatGrpcTimeout(left), "timeout", `${Math.round(left)}000000`);
}

/** The response headers of a call. */
export function responseFields(contentType: string, metadata: Metadata, isCompressed: boolean): string[] {
  const fields = [":status", "200", "content-type", contentType];
  if (isCompressed) fields.push("grpc-encoding", "gzip");
  pushMetadata(fields, metadata);
  return fields;
}

/** The trailers that end a call. */
export function trailerFields({ code, message, details, trailers }: Status): readonly string[] {
  if (code === GrpcStatus.ok && message === "" && details === undefined && isEmpty(trailers)) return okTrailers;
  const fields = ["grpc-status", String(code)];
  if (message !== "") fields.push("grpc-message", encodeStatusMessage(message));
  if (details !== undefined) fields.push("grpc-status-details-bin", details);
  // Who answers an unknown encoding says which ones it knows (gRPC compression.md).
  const encodings = trailers["grpc-accept-encoding"];
  if (encodings !== undefined) fields.push("grpc-accept-encoding", encodings);
  pushMetadata(fields, trailers);
  return fields;
}

function isEmpty(metadata: Metadata): boolean {
  for (const _ in metadata) return false;
  return true;
}

/** Visible characters, inner spaces and tabs: what a field value may be (RFC 9110 §5.5). */
const sendable = /^[\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?$/;

function pushMetadata(fields: string[], metadata: Metadata): void {
  for (const key in metadata) {
    const value = metadata[key] as string;
    if (sendable.test(value)) {
      const name = nameOf(key);
      if (name !== undefined) fields.push(name, value);
    } else pushOddValue(fields, key, value);
  }
}

function pushOddValue(fields: string[], key: string, value: string): void {
  const name = nameOf(key);
  if (name === undefined) return;
  const trimmed = String(value).replace(/^[\t ]+|[\t ]+$/g, "");
  if (trimmed !== "" && !sendable.test(trimmed)) {
    throw MicroError.badRequest(
      "go.micro.client",
      `the metadata "${name}" has a character that no header can carry: send it in base64, under a key that ends in -bin`,
    );
  }
  fields.push(name, trimmed);
}

/** Keys seen before, so that each is looked at once; bounded, since callers choose them. */
const knownNames = new Map<string, string>();
const maxKnownNames = 2000;

/** The key as a header name; undefined for a reserved or malformed one. */
function nameOf(key: string): string | undefined {
  const known = knownNames.get(key);
  if (known !== undefined) return known === "" ? undefined : known;
  const name = key.toLowerCase();
  const isAllowed = isMetadataKey(name);
  if (knownNames.size >= maxKnownNames) knownNames.clear();
  knownNames.set(key, isAllowed ? name : "");
  return isAllowed ? name : undefined;
}

/** The metadata in a header list: reserved and malformed keys left out, repeated ones joined with ", ". */
export function metadataOf(fields: readonly string[], from = 0): Metadata {
  const metadata: Record<string, string> = Object.create(null);
  for (let at = from; at < fields.length; at += 2) {
    const key = fields[at] as string;
    const value = fields[at + 1] as string;
    if (nameOf(key) === undefined) continue;
    const before = metadata[key];
    metadata[key] = before === undefined ? value : `${before}, ${value}`;
  }
  return metadata;
}

/** The first value of a field; undefined without one. */
export function fieldOf(fields: readonly string[], name: string): string | undefined {
  for (let at = 0; at < fields.length; at += 2) if (fields[at] === name) return fields[at + 1];
  return undefined;
}

/** The status that trailers, or a response without messages, end a call with; undefined when there is no grpc-status. */
export function statusOfFields(fields: readonly string[]): Status | undefined {
  const text = fieldOf(fields, "grpc-status");
  if (text === undefined) return undefined;
  if (text === "0" && fields.length === 2) return ok;
  const details = fieldOf(fields, "grpc-status-details-bin");
  const message = decodeStatusMessage(fieldOf(fields, "grpc-message") ?? "");
  if (!/^\d{1,9}$/.test(text))
    return {
      code: GrpcStatus.unknown,
      message: message || `malformed grpc-status "${text}"`,
      trailers: metadataOf(fields),
    };
  return { code: Number(text), message, details, trailers: metadataOf(fields) };
}

const ok: Status = { code: GrpcStatus.ok, message: "", trailers: {} };
