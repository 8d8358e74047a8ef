/** `node:http2` as it comes, used as gRPC uses it: a stream per call, headers, one message, trailers. */
import { type ClientHttp2Session, connect, createServer, type ServerHttp2Stream } from "node:http2";
import { listenAndAnnounce } from "../announce.ts";
import { echoPath } from "./echo.ts";

export const http2File = import.meta.filename;

export function connectHttp2(address: string): ClientHttp2Session & AsyncDisposable {
  const session = connect(`http://${address}`);
  return Object.assign(session, {
    async [Symbol.asyncDispose]() {
      session.destroy();
    },
  });
}

export function callHttp2(session: ClientHttp2Session, message: Uint8Array): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const stream = session.request({
      ":method": "POST",
      ":path": echoPath,
      "content-type": "application/grpc",
      te: "trailers",
    });
    let reply: Buffer | undefined;
    stream.on("data", (chunk: Buffer) => {
      reply = reply === undefined ? chunk : Buffer.concat([reply, chunk]);
    });
    stream.on("error", reject);
    stream.on("close", () => (reply === undefined ? reject(new Error("no reply")) : resolve(reply)));
    stream.end(message);
  });
}

if (import.meta.main) {
  const server = createServer();
  server.on("stream", (stream: ServerHttp2Stream) => {
    stream.on("error", () => {});
    const parts: Buffer[] = [];
    stream.on("data", (chunk: Buffer) => parts.push(chunk));
    stream.on("end", () => {
      stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
      stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
      stream.end(Buffer.concat(parts));
    });
  });
  listenAndAnnounce(server);
}
