import { connect, type Socket } from "node:net";

/** One answer as it came over the wire. */
export interface RawAnswer {
  readonly status: number;
  readonly head: string;
  /** Lower-case names; of repeats the last. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** What a connection brought back until it was closed, or until nothing came for a while. */
export interface RawExchange {
  readonly answers: readonly RawAnswer[];
  /** The server ended the connection. */
  readonly isClosed: boolean;
  readonly text: string;
}

export interface RawOptions {
  /** Without an answer or a close after this long the exchange counts as finished. Default 20 s, which only a test that fails waits for. */
  readonly quietMs?: number;
  /** Finished once so many answers are complete. */
  readonly answers?: number;
  /** An answer to HEAD: its head is all of it. */
  readonly isHead?: boolean;
}

/** Sends bytes on a fresh connection, as they are, and reads what comes back. */
export function sendRaw(address: string, bytes: string | Uint8Array, options: RawOptions = {}): Promise<RawExchange> {
  const { quietMs = 20_000, answers: wanted = Number.POSITIVE_INFINITY, isHead = false } = options;
  return new Promise((resolve) => {
    const socket = open(address);
    let text = "";
    const finish = (isClosed: boolean) => {
      clearTimeout(timer);
      socket.destroy();
      resolve({ answers: parseAnswers(text), isClosed, text });
    };
    let timer = setTimeout(finish, quietMs, false);
    socket.on("data", (chunk) => {
      text += chunk.toString("latin1");
      clearTimeout(timer);
      timer = setTimeout(finish, quietMs, false);
      if (isHead ? text.includes("\r\n\r\n") : parseAnswers(text).length >= wanted) finish(false);
    });
    socket.on("error", () => finish(true));
    socket.on("close", () => finish(true));
    socket.write(typeof bytes === "string" ? Buffer.from(bytes, "latin1") : bytes);
  });
}

/** A connection to `host:port`. */
export function open(address: string): Socket {
  const [host = "", port = ""] = address.split(":");
  return connect({ host, port: Number(port) });
}

/** The complete HTTP/1.1 answers at the beginning of a text. */
export function parseAnswers(text: string): RawAnswer[] {
  const answers: RawAnswer[] = [];
  for (let rest = text; rest !== ""; ) {
    const headEnd = rest.indexOf("\r\n\r\n");
    const status = /^HTTP\/1\.1 (\d{3})/.exec(rest)?.[1];
    if (headEnd < 0 || status === undefined) break;
    const head = rest.slice(0, headEnd);
    const headers = headersOf(head);
    const after = rest.slice(headEnd + 4);
    const length =
      headers["transfer-encoding"] === "chunked" ? chunkedEnd(after) : Number(headers["content-length"] ?? 0);
    if (length === undefined || after.length < length) break;
    answers.push({ status: Number(status), head, headers, body: after.slice(0, length) });
    rest = after.slice(length);
  }
  return answers;
}

function headersOf(head: string): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const line of head.split("\r\n").slice(1)) {
    const colon = line.indexOf(":");
    headers[line.slice(0, colon).toLowerCase()] = line.slice(colon + 1).trim();
  }
  return headers;
}

/** Behind the last chunk; the sizes say where each ends, whatever is inside. */
function chunkedEnd(text: string): number | undefined {
  for (let at = 0; ; ) {
    const size = /^([0-9a-f]+)\r\n/i.exec(text.slice(at, at + 12));
    if (size === null) return undefined;
    const length = Number.parseInt(size[1] as string, 16);
    at += size[0].length + length + 2;
    if (length === 0) return at <= text.length ? at : undefined;
  }
}
