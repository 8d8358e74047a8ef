import { GrpcStatus, MicroError } from "../errors.ts";
import { emptyMetadata, isMetadataKey, type Metadata } from "../metadata.ts";
import { earlierTimeoutMs, formatGrpcTimeout } from "./deadline.ts";
import { decodeStatusMessage, encodeStatusMessage } from "./status.ts";
import type { CallStart, Status } from "./transport.ts";

/** Header lists of calls as they stand on the wire: name, value, name, value … */

const okTrailers: readonly string[] = ["grpc-status", "0"];

/** What a server looks for in a call's request headers; undefined where there is none. */
export interface RequestFields {
  readonly contentType: string | undefined;
  /** The earlier of gRPC's and Micro's, in milliseconds. */
  readonly timeoutMs: number | undefined;
  readonly encoding: string | undefined;
  readonly acceptEncoding: string | undefined;
}

/** Reads them in one pass; the first value of a repeated field counts. */
export function readRequestFields(fields: readonly string[], from: number): RequestFields {
  let contentType: string | undefined;
  let otherContentType: string | undefined;
  let grpcTimeout: string | undefined;
  let timeout: string | undefined;
  let encoding: string | undefined;
  let acceptEncoding: string | undefined;
  for (let at = from; at < fields.length; at += 2) {
    switch (fields[at]) {
      case "content-type":
        contentType ??= fields[at + 1];
        break;
      case "x-content-type":
        otherContentType ??= fields[at + 1];
        break;
      case "grpc-timeout":
        grpcTimeout ??= fields[at + 1];
        break;
      case "timeout":
        timeout ??= fields[at + 1];
        break;
      case "grpc-encoding":
        encoding ??= fields[at + 1];
        break;
      case "grpc-accept-encoding":
        acceptEncoding ??= fields[at + 1];
        break;
    }
  }
  const timeoutMs =
    grpcTimeout === undefined && timeout === undefined ? undefined : earlierTimeoutMs(grpcTimeout, timeout);
  return { contentType: contentType ?? otherContentType, timeoutMs, encoding, acceptEncoding };
}

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
  // Calls with the same time left come many at once.
  if (left !== lastLeft.ms) lastLeft = { ms: left, grpc: formatGrpcTimeout(left), micro: `${Math.round(left)}000000` };
  fields.push("grpc-timeout", lastLeft.grpc, "timeout", lastLeft.micro);
}

let lastLeft = { ms: 0, grpc: "", micro: "" };

/** The response headers of a call. */
export function responseFields(contentType: string, metadata: Metadata, isCompressed: boolean): readonly string[] {
  if (!isCompressed && isEmpty(metadata)) return bareResponse(contentType);
  const fields = [":status", "200", "content-type", contentType];
  if (isCompressed) fields.push("grpc-encoding", "gzip");
  pushMetadata(fields, metadata);
  return fields;
}

function bareResponse(contentType: string): readonly string[] {
  if (lastBare[3] !== contentType) lastBare = [":status", "200", "content-type", contentType];
  return lastBare;
}

let lastBare: readonly string[] = [];

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
    const known = knownName(key);
    if (known.lastSent === value) fields.push(key, value);
    else if (!sendable.test(value)) pushOddValue(fields, known.name, value);
    else if (known.name !== undefined) {
      // A long value is mostly the same token again.
      if (known.name === key && value.length > 40 && value.length <= longestKept) known.lastSent = value;
      fields.push(known.name, value);
    }
  }
}

function pushOddValue(fields: string[], name: string | undefined, value: string): void {
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
const knownNames = new Map<string, KnownName>();
const maxKnownNames = 2000;
/** Of a name, and of a value that is kept with it. */
const longestKept = 4096;

interface KnownName {
  /** The key as a header name; undefined for a reserved or malformed one. */
  readonly name: string | undefined;
  /** A value that was found sendable. */
  lastSent: string | undefined;
}

function knownName(key: string): KnownName {
  const known = knownNames.get(key);
  if (known !== undefined) return known;
  const name = key.toLowerCase();
  const added: KnownName = { name: isMetadataKey(name) ? name : undefined, lastSent: undefined };
  if (knownNames.size >= maxKnownNames) knownNames.clear();
  if (key.length <= longestKept) knownNames.set(key, added);
  return added;
}

/** The metadata in a header list: reserved and malformed keys left out, repeated ones joined with ", ". */
export function metadataOf(fields: readonly string[], from = 0): Metadata {
  const metadata = emptyMetadata();
  for (let at = from; at < fields.length; at += 2) {
    const key = fields[at] as string;
    const value = fields[at + 1] as string;
    if (knownName(key).name === undefined) continue;
    const before = metadata[key];
    metadata[key] = before === undefined ? value : `${before}, ${value}`;
  }
  return metadata;
}

/** What `metadataOf` has under one key that is no reserved one. */
export function metadatumOf(fields: readonly string[], from: number, key: string): string | undefined {
  let found: string | undefined;
  for (let at = from; at < fields.length; at += 2) {
    if (fields[at] !== key) continue;
    const value = fields[at + 1] as string;
    found = found === undefined ? value : `${found}, ${value}`;
  }
  return found;
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
