import type { IncomingMessage } from "node:http";
import { TLSSocket } from "node:tls";
import type { RequestHead } from "../http2/message-head.ts";

/** Fields that are about this connection (RFC 9110 §7.6.1), or that the control data stands for. */
const ownFields = new Set([
  "connection",
  "content-length",
  "expect",
  "host",
  "http2-settings",
  "keep-alive",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

/** The request's control data and fields as HTTP/2 would have them: names in lower case, nothing that is about the connection. */
export function readHttp1Request(request: IncomingMessage): { head: RequestHead; fields: string[] } {
  const { method = "", url = "", headers, rawHeaders, socket } = request;
  const nominated = new Set((headers.connection ?? "").toLowerCase().split(/\s*,\s*/));
  const fields: string[] = [];
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = (rawHeaders[at] as string).toLowerCase();
    if (!ownFields.has(name) && !nominated.has(name)) fields.push(name, rawHeaders[at + 1] as string);
  }
  const head = {
    method,
    path: url,
    authority: headers.host ?? "",
    scheme: socket instanceof TLSSocket ? "https" : "http",
    fieldsFrom: 0,
    contentLength: undefined,
  };
  return { head, fields };
}
