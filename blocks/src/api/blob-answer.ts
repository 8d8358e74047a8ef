import { once } from "node:events";
import { MicroError } from "@microts/core";
import { byteRange } from "./byte-range.ts";
import type { Exchange } from "./exchange.ts";
import { answer, note } from "./respond.ts";

/** A blob that anybody may have. */
export interface PublicBlob {
  readonly size: number;
  /** In hex. */
  readonly sha256: string;
  /** As its writer gave it; "" for none. */
  readonly contentType: string;
  /** Some of its bytes; undefined when it was replaced or withdrawn meanwhile. */
  open(offset: number, length: number): Promise<AsyncIterable<Uint8Array> | undefined>;
}

/** Undefined for what isn't there and for what isn't public alike. */
export type FindBlob = (namespace: string, key: string, signal: AbortSignal) => Promise<PublicBlob | undefined>;

const gatewayId = "go.micro.api";
/** No service has such a name. */
const prefix = "/-/blobs/";
/** What a browser only shows. All else it saves: a page or a drawing with a script in it must not act for the gateway's origin. */
const shown = /^(?:image\/(?:png|jpeg|gif|webp|avif|bmp)|audio\/[\w.+-]+|video\/[\w.+-]+|text\/plain)(?:;|$)/i;

export function isBlobPath(path: string): boolean {
  return path.startsWith(prefix);
}

/** Answers GET and HEAD for `/-/blobs/<namespace>/<key>`, whoever asks; throws 404 for what isn't public. A client that takes nothing for so long is cut off. */
export async function answerBlob(
  exchange: Exchange,
  find: FindBlob,
  cors: readonly string[],
  stalledMs: number,
): Promise<void> {
  const { method = "" } = exchange.request;
  if (method !== "GET" && method !== "HEAD")
    throw new MicroError(
      405,
      gatewayId,
      `${method} is not answered at ${prefix}. Write blobs with: micro store blob write`,
    );
  // Not of the kind that a sweep ends: a large blob may take long.
  exchange.isStream = true;
  const [namespace, key] = placeOf(exchange.path);
  const blob = await find(namespace, key, exchange.signal);
  if (blob === undefined) throw MicroError.notFound(gatewayId, `There is no public blob "${key}" in ${namespace}`);
  const etag = `"${blob.sha256}"`;
  const headers = [...cors, ...headersOf(blob, key), "ETag", etag];
  const { "if-none-match": known, "if-range": only, range: asked } = exchange.request.headers;
  if (known !== undefined && matches(known, etag)) {
    note(exchange, 304, 0);
    exchange.response.writeHead(304, headers).end();
    return;
  }
  const range = only === undefined || only === etag ? byteRange(asked, blob.size) : undefined;
  if (range === "outside") return answer(exchange, 416, "", [...headers, "Content-Range", `bytes */${blob.size}`]);
  const { offset, length } = range ?? { offset: 0, length: blob.size };
  if (range) headers.push("Content-Range", `bytes ${offset}-${offset + length - 1}/${blob.size}`);
  const chunks = method === "HEAD" ? none() : await blob.open(offset, length);
  if (chunks === undefined) throw MicroError.unavailable(gatewayId, `The blob "${key}" has just changed: try again`);
  await send(exchange, range ? 206 : 200, [...headers, "Content-Length", String(length)], chunks, length, stalledMs);
}

async function send(
  exchange: Exchange,
  status: number,
  headers: string[],
  chunks: AsyncIterable<Uint8Array>,
  length: number,
  stalledMs: number,
): Promise<void> {
  const { response, signal } = exchange;
  if (exchange.mustClose) headers.push("Connection", "close");
  note(exchange, status, length);
  response.writeHead(status, headers);
  const stalled = new AbortController();
  const ending = AbortSignal.any([signal, stalled.signal]);
  for await (const chunk of chunks) {
    signal.throwIfAborted();
    if (response.write(chunk)) continue;
    const timer = setTimeout(
      () => stalled.abort(new DOMException("the client takes nothing", "TimeoutError")),
      stalledMs,
    );
    await once(response, "drain", { signal: ending }).finally(() => clearTimeout(timer));
  }
  response.end();
}

async function* none(): AsyncGenerator<Uint8Array> {}

function placeOf(path: string): [namespace: string, key: string] {
  const rest = path.slice(prefix.length);
  const slash = rest.indexOf("/");
  try {
    if (slash > 0 && slash + 1 < rest.length)
      return [decodeURIComponent(rest.slice(0, slash)), decodeURIComponent(rest.slice(slash + 1))];
  } catch {
    throw MicroError.badRequest(gatewayId, `The path of a blob has a malformed percent-encoding`);
  }
  throw MicroError.notFound(gatewayId, `The path of a public blob is ${prefix}<namespace>/<key>`);
}

function headersOf({ contentType }: PublicBlob, key: string): string[] {
  const name = encodeURIComponent(key.slice(key.lastIndexOf("/") + 1).toWellFormed()).replace(/['()*]/g, "_");
  const kind = shown.test(contentType) ? "inline" : "attachment";
  return [
    ...["Content-Type", contentType || "application/octet-stream"],
    ...["Content-Disposition", `${kind}; filename*=UTF-8''${name}`],
    ...["X-Content-Type-Options", "nosniff"],
    ...["Content-Security-Policy", "default-src 'none'; sandbox"],
    ...["Cross-Origin-Resource-Policy", "cross-origin"],
    // Kept, but asked about each time: it may be replaced or withdrawn.
    ...["Cache-Control", "public, no-cache"],
    ...["Accept-Ranges", "bytes"],
  ];
}

function matches(header: string, etag: string): boolean {
  return header.split(",").some((each) => [etag, `W/${etag}`, "*"].includes(each.trim()));
}
