import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { type ErrorCode, MicroError } from "@microts/core";
import { allowHeader } from "./cors.ts";
import { maxHeaderBytes, maxUrlLength } from "./options.ts";

/** How long a refused connection may take to read its answer. */
const lingerMs = 500;

/** The error for bytes that the HTTP parser refused; undefined when the connection only broke. */
export function malformedRequest(error: Error & { code?: string; rawPacket?: Buffer }): MicroError | undefined {
  switch (error.code) {
    case "ECONNRESET":
    case "EPIPE":
      return undefined;
    case "HPE_HEADER_OVERFLOW":
      return isLongUrl(error.rawPacket)
        ? refused(414, `The URL is longer than ${maxUrlLength} bytes. Send fields in the body of a POST`)
        : refused(431, `The headers are larger than ${maxHeaderBytes} bytes. Send fewer or shorter ones`);
    case "HPE_CHUNK_EXTENSIONS_OVERFLOW":
      return refused(413, "The chunk extensions are too large");
    case "ERR_HTTP_REQUEST_TIMEOUT":
      return refused(408, "The request took too long to arrive");
    default:
      return refused(400, "The request is not well-formed HTTP/1.1");
  }
}

function isLongUrl(packet: Buffer | undefined): boolean {
  return packet !== undefined && /^[A-Z]+ [^\s]{8192}/.test(packet.toString("latin1", 0, maxUrlLength + 32));
}

function refused(code: ErrorCode, detail: string): MicroError {
  return new MicroError(code, "go.micro.api", detail);
}

/** The error for `CONNECT` and for upgrades, which Node hands over as bare connections. */
export function refusedTunnel({ method, headers }: IncomingMessage): MicroError {
  if (method === "CONNECT") return refused(405, "CONNECT is not answered here: this is a gateway, not a proxy");
  const wanted = JSON.stringify(String(headers.upgrade).slice(0, 40));
  return refused(
    501,
    `Upgrading to ${wanted} is not supported. For a stream, GET the same path with Accept: text/event-stream`,
  );
}

/** Answers on a bare connection and ends it. */
export function refuse(socket: Duplex, error: MicroError): void {
  if (!socket.writable) {
    socket.destroy();
    return;
  }
  const body = JSON.stringify(error);
  const allow = error.code === 405 ? `Allow: ${allowHeader}\r\n` : "";
  socket.on("error", () => {});
  socket.end(
    `HTTP/1.1 ${error.code} ${error.status}\r\nContent-Type: application/json\r\n${allow}Content-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  );
  // Closing with bytes unread resets the connection, and the answer is lost with it.
  socket.resume();
  const timer = setTimeout(() => socket.destroy(), lingerMs);
  socket.once("close", () => clearTimeout(timer));
}
