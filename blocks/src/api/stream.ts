import { once } from "node:events";
import type { MicroError } from "@microts/core";
import type { Exchange } from "./exchange.ts";
import { note } from "./respond.ts";

export type StreamFormat = "ndjson" | "sse";

/** A stream that has nothing to say yet begins after this long; what fails before has its own HTTP status. */
const firstMessageMs = 100;
/** Keeps proxies from cutting a quiet stream, and tells us when the client is gone. */
const keepAliveMs = 15_000;

const contentTypes: Readonly<Record<StreamFormat, string>> = {
  ndjson: "application/x-ndjson",
  sse: "text/event-stream",
};

/** Server-sent events for those who ask for them, as EventSource does, else a line of JSON per message. */
export function streamFormat(accept: string | undefined): StreamFormat {
  return accept?.includes("text/event-stream") ? "sse" : "ndjson";
}

export interface StreamOptions {
  readonly format: StreamFormat;
  readonly cors: readonly string[];
  /** What to tell of an error that comes after the first message. */
  toError(reason: unknown): MicroError;
}

/**
 * Sends each message as it comes and waits for the client to take it. Rejects when the stream fails before it has begun; later failures are told
 * in the stream: a last line `{"error":{…}}`, or an event `error`. A client that goes away ends it.
 */
export async function answerStream(
  exchange: Exchange,
  messages: AsyncIterable<Uint8Array>,
  options: StreamOptions,
): Promise<void> {
  const iterator = messages[Symbol.asyncIterator]();
  exchange.signal.addEventListener("abort", () => void close(iterator), { once: true });
  try {
    const pending = iterator.next();
    const early = await Promise.race([pending, delay(firstMessageMs)]);
    begin(exchange, options);
    using _ticks = options.format === "sse" ? ticking(exchange) : undefined;
    await pump(exchange, iterator, early ?? (await pending), options.format);
  } catch (reason) {
    if (exchange.status === 0) throw reason;
    // A client that asked for an end, or a gateway that ends, is no error of the stream.
    if (!exchange.isAborted) write(exchange, failure(options.toError(reason), options.format));
  } finally {
    await close(iterator);
    if (exchange.status !== 0) exchange.response.end();
  }
}

function begin(exchange: Exchange, { format, cors }: StreamOptions): void {
  if (exchange.status !== 0) return;
  note(exchange, 200, 0);
  const connection = exchange.mustClose ? ["Connection", "close"] : [];
  exchange.response.writeHead(200, [
    "Content-Type",
    contentTypes[format],
    "Cache-Control",
    "no-store",
    "X-Accel-Buffering",
    "no",
    "X-Content-Type-Options",
    "nosniff",
    ...connection,
    ...cors,
  ]);
  exchange.response.flushHeaders();
}

async function pump(
  exchange: Exchange,
  iterator: AsyncIterator<Uint8Array>,
  first: IteratorResult<Uint8Array>,
  format: StreamFormat,
): Promise<void> {
  for (let result = first; result.done !== true; result = await iterator.next()) {
    if (exchange.isAborted) return;
    const isTaken = write(exchange, framed(result.value, format));
    if (!isTaken) await once(exchange.response, "drain", { signal: exchange.signal });
  }
}

function write(exchange: Exchange, text: string): boolean {
  if (exchange.response.destroyed) return true;
  exchange.bytesSent += text.length;
  return exchange.response.write(text, "latin1");
}

/** One message in its frame, as Latin-1 text, so that its bytes stay as they are. Line breaks in JSON stand only between tokens. */
function framed(message: Uint8Array, format: StreamFormat): string {
  const text = Buffer.from(message.buffer, message.byteOffset, message.byteLength).toString("latin1");
  const line = /[\r\n]/.test(text) ? text.replace(/[\r\n]+/g, " ") : text;
  return format === "sse" ? `data: ${line}\n\n` : `${line}\n`;
}

function failure(error: MicroError, format: StreamFormat): string {
  const text = format === "sse" ? `event: error\ndata: ${JSON.stringify(error)}\n\n` : `${JSON.stringify({ error })}\n`;
  return Buffer.from(text).toString("latin1");
}

function ticking(exchange: Exchange): Disposable {
  const timer = setInterval(() => write(exchange, ": keep-alive\n\n"), keepAliveMs).unref();
  return { [Symbol.dispose]: () => clearInterval(timer) };
}

function delay(ms: number): Promise<undefined> {
  return new Promise((resolve) => setTimeout(resolve, ms, undefined).unref());
}

async function close(iterator: AsyncIterator<Uint8Array>): Promise<void> {
  try {
    await iterator.return?.();
  } catch {
    // It was given up.
  }
}
