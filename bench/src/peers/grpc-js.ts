/** `@grpc/grpc-js`, bare: no metadata, no deadline, messages as bytes. */
import { readFileSync } from "node:fs";
import {
  Client,
  credentials,
  type handleClientStreamingCall,
  type handleServerStreamingCall,
  type handleUnaryCall,
  Metadata,
  Server,
  ServerCredentials,
  type ServiceDefinition,
} from "@grpc/grpc-js";
import { announce } from "../announce.ts";
import { checkStreamed, countReply, downPath, echoPath, streamMessage, upPath } from "./echo.ts";

export const grpcJsFile = import.meta.filename;

const asIs = (bytes: Buffer) => bytes;

const codec = { requestSerialize: asIs, requestDeserialize: asIs, responseSerialize: asIs, responseDeserialize: asIs };

const echo = {
  call: { ...codec, path: echoPath, requestStream: false, responseStream: false },
  down: { ...codec, path: downPath, requestStream: false, responseStream: true },
  up: { ...codec, path: upPath, requestStream: true, responseStream: false },
} satisfies ServiceDefinition;

export interface GrpcJsClient extends AsyncDisposable {
  call(message: Buffer): Promise<Buffer>;
  /** Messages of a stream until the signal aborts; resolves with their number. */
  down(signal: AbortSignal, onMessage: (message: Buffer) => void): Promise<number>;
  /** Opens a stream and takes its first message only. */
  pausedDown(signal: AbortSignal): Promise<void>;
  /** Sends until the signal aborts; resolves with what the server has counted. */
  up(signal: AbortSignal): Promise<{ readonly sent: number; readonly reply: Buffer }>;
}

/** `authorization` is what a server of ours asks for. */
export function connectGrpcJs(address: string, authorization?: string, ca?: string): GrpcJsClient {
  // It refuses an address as the name in the handshake.
  const client =
    ca === undefined
      ? new Client(address, credentials.createInsecure())
      : new Client(address, credentials.createSsl(Buffer.from(ca)), { "grpc.ssl_target_name_override": "localhost" });
  const metadata = new Metadata();
  if (authorization !== undefined) metadata.set("authorization", authorization);
  return {
    call: (message) =>
      new Promise((resolve, reject) => {
        client.makeUnaryRequest(echoPath, asIs, asIs, message, metadata, (error, reply) => {
          if (error !== null || reply === undefined) reject(error ?? new Error("no reply"));
          else resolve(reply);
        });
      }),
    down: (signal, onMessage) =>
      new Promise((resolve, reject) => {
        const call = client.makeServerStreamRequest(downPath, asIs, asIs, Buffer.alloc(0), metadata);
        let count = 0;
        call.on("data", (message: Buffer) => {
          onMessage(message);
          count++;
        });
        call.on("error", (error) => (signal.aborted ? resolve(count) : reject(error)));
        signal.addEventListener("abort", () => call.cancel(), { once: true });
      }),
    pausedDown: (signal) =>
      new Promise((resolve, reject) => {
        const call = client.makeServerStreamRequest(downPath, asIs, asIs, Buffer.alloc(0), metadata);
        call.on("error", (error) => (signal.aborted ? undefined : reject(error)));
        call.once("data", () => {
          call.pause();
          resolve();
        });
        signal.addEventListener("abort", () => call.cancel(), { once: true });
      }),
    up: (signal) =>
      new Promise((resolve, reject) => {
        let sent = 0;
        const call = client.makeClientStreamRequest(upPath, asIs, asIs, metadata, (error, reply) => {
          if (error !== null || reply === undefined) reject(error ?? new Error("no reply"));
          else resolve({ sent, reply });
        });
        const more = () => {
          while (!signal.aborted) {
            sent++;
            if (!call.write(streamMessage)) {
              call.once("drain", () => setImmediate(more));
              return;
            }
          }
          call.end();
        };
        more();
      }),
    async [Symbol.asyncDispose]() {
      client.close();
    },
  };
}

// Arguments, if any: the files of a certificate and its key.
if (import.meta.main) {
  const call: handleUnaryCall<Buffer, Buffer> = ({ request }, answer) => answer(null, request);
  const server = new Server();
  const down: handleServerStreamingCall<Buffer, Buffer> = (stream) => {
    const more = () => {
      while (!stream.cancelled) {
        if (stream.write(streamMessage)) continue;
        stream.once("drain", () => setImmediate(more));
        return;
      }
    };
    more();
  };
  const up: handleClientStreamingCall<Buffer, Buffer> = (stream, answer) => {
    let count = 0;
    stream.on("data", (message: Buffer) => {
      checkStreamed(message);
      count++;
    });
    stream.on("end", () => answer(null, countReply(count)));
  };
  server.addService(echo, { call, down, up });
  const [cert, key] = process.argv.slice(2).map((file) => readFileSync(file));
  const security =
    cert && key
      ? ServerCredentials.createSsl(null, [{ cert_chain: cert, private_key: key }])
      : ServerCredentials.createInsecure();
  server.bindAsync("127.0.0.1:0", security, (error, port) => {
    if (error !== null) throw error;
    announce({ address: `127.0.0.1:${port}` });
  });
}
