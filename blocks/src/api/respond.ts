import type { MicroError } from "@microts/core";
import { allowHeader } from "./cors.ts";
import type { Exchange } from "./exchange.ts";

/** Up to here head and body leave in one piece; above, copying costs more than a second write. */
const onePieceBytes = 16 * 1024;
/** How long a client that is still sending may go on after its request was refused, so that it sees the answer. */
const lingerMs = 1000;

/** Sends an answer at once. Does nothing when there has been one. `headers` are names and values in turn. */
export function answer(
  exchange: Exchange,
  status: number,
  body: Uint8Array | string,
  headers: readonly string[],
): void {
  if (exchange.status !== 0) return;
  const { response } = exchange;
  // A broken body has no end to wait for.
  const isUnread = exchange.hasUnreadBody && !exchange.isBroken;
  const length = typeof body === "string" ? Buffer.byteLength(body) : body.byteLength;
  const head = [...headers];
  if (status !== 204) head.push("Content-Length", String(length));
  if (exchange.mustClose || isUnread) head.push("Connection", "close");
  note(exchange, status, length);
  response.writeHead(status, head);
  if (isUnread) linger(exchange, body);
  else if (length === 0) response.end();
  else if (typeof body === "string") response.end(body);
  else if (length > onePieceBytes) response.end(body);
  // A text goes into the same write as the head; as Latin-1 it is the same bytes.
  else response.end(latin1(body), "latin1");
}

/** Writes down what was answered. */
export function note(exchange: Exchange, status: number, bytes: number): void {
  exchange.status = status;
  exchange.bytesSent = exchange.request.method === "HEAD" ? 0 : bytes;
  exchange.answeredAtMs = Date.now();
}

function latin1(bytes: Uint8Array): string {
  return (Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)).toString(
    "latin1",
  );
}

// Closing while a client sends resets the connection, and the answer is lost with it.
function linger({ request, response }: Exchange, body: Uint8Array | string): void {
  response.write(body);
  const end = () => {
    clearTimeout(timer);
    response.end();
  };
  const timer = setTimeout(end, lingerMs);
  request.once("end", end);
  request.once("close", end);
  request.once("error", () => {});
  request.resume();
}

/** Sends an error as its JSON, under its own status. */
export function answerError(exchange: Exchange, error: MicroError, jsonHeaders: readonly string[]): void {
  const headers = [...jsonHeaders];
  if (error.code === 401) headers.push("WWW-Authenticate", "Bearer");
  if (error.code === 405) headers.push("Allow", allowHeader);
  answer(exchange, error.code, JSON.stringify(error), headers);
}
