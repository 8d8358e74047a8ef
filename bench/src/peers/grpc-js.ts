/** `@grpc/grpc-js`, bare: no metadata, no deadline, messages as bytes. */
import {
  Client,
  credentials,
  type handleUnaryCall,
  Metadata,
  Server,
  ServerCredentials,
  type ServiceDefinition,
} from "@grpc/grpc-js";
import { announce } from "../announce.ts";
import { echoPath } from "./echo.ts";

export const grpcJsFile = import.meta.filename;

const asIs = (bytes: Buffer) => bytes;

const echo = {
  call: {
    path: echoPath,
    requestStream: false,
    responseStream: false,
    requestSerialize: asIs,
    requestDeserialize: asIs,
    responseSerialize: asIs,
    responseDeserialize: asIs,
  },
} satisfies ServiceDefinition;

export interface GrpcJsClient extends AsyncDisposable {
  call(message: Buffer): Promise<Buffer>;
}

/** `authorization` is what a server of ours asks for. */
export function connectGrpcJs(address: string, authorization?: string): GrpcJsClient {
  const client = new Client(address, credentials.createInsecure());
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
    async [Symbol.asyncDispose]() {
      client.close();
    },
  };
}

if (import.meta.main) {
  const call: handleUnaryCall<Buffer, Buffer> = ({ request }, answer) => answer(null, request);
  const server = new Server();
  server.addService(echo, { call });
  server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, port) => {
    if (error !== null) throw error;
    announce({ address: `127.0.0.1:${port}` });
  });
}
