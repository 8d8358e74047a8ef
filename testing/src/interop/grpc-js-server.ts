import { setTimeout as delay } from "node:timers/promises";
import type { DescMessage, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import * as grpc from "@grpc/grpc-js";
import { decodeMessage, encodeMessage } from "@microts/core/codec";
import {
  type EchoStatus,
  type Empty,
  type SimpleRequest,
  type StreamingInputCallRequest,
  type StreamingOutputCallRequest,
  TestService,
} from "../../gen/interop_pb.ts";
import { echo } from "./test-service.ts";
import type { Serve } from "./ways.ts";

/** The interop test service on grpc-js's server. */
export const serveGrpcJs: Serve = async (certificate) => {
  const server = new grpc.Server();
  server.addService(testServiceOfGrpcJs, handlers);
  const credentials =
    certificate === undefined
      ? grpc.ServerCredentials.createInsecure()
      : grpc.ServerCredentials.createSsl(null, [
          { cert_chain: Buffer.from(certificate.cert), private_key: Buffer.from(certificate.key) },
        ]);
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync("127.0.0.1:0", credentials, (error, bound) => (error ? reject(error) : resolve(bound))),
  );
  return { address: `127.0.0.1:${port}`, [Symbol.asyncDispose]: async () => server.forceShutdown() };
};

/** Its methods as grpc-js wants them, by their lower-camel names. */
export const testServiceOfGrpcJs: grpc.ServiceDefinition = Object.fromEntries(
  TestService.methods
    .filter((method) => method !== TestService.method.unimplementedMethod)
    .map(({ name, localName, input, output, methodKind }) => [
      localName,
      {
        path: `/${TestService.typeName}/${name}`,
        requestStream: methodKind === "client_streaming" || methodKind === "bidi_streaming",
        responseStream: methodKind === "server_streaming" || methodKind === "bidi_streaming",
        requestSerialize: writer(input),
        requestDeserialize: reader(input),
        responseSerialize: writer(output),
        responseDeserialize: reader(output),
      },
    ]),
);

function writer<T extends DescMessage>(schema: T): (message: MessageInitShape<T>) => Buffer {
  return (message) => Buffer.from(encodeMessage(schema, message, "proto"));
}

function reader<T extends DescMessage>(schema: T): (bytes: Buffer) => MessageShape<T> {
  return (bytes) => decodeMessage(schema, bytes, "proto");
}

interface Reply {
  readonly payload?: { readonly body: Uint8Array };
  readonly aggregatedPayloadSize?: number;
}

const handlers: grpc.UntypedServiceImplementation = {
  emptyCall: ((_, answer) => answer(null, {})) satisfies grpc.handleUnaryCall<Empty, object>,
  unaryCall: ((call, answer) => {
    const { responseStatus, responseSize } = call.request;
    sendEchoed(call);
    if (responseStatus !== undefined) answer(failure(responseStatus));
    else answer(null, { payload: { body: Buffer.alloc(responseSize) } }, trailers(call));
  }) satisfies grpc.handleUnaryCall<SimpleRequest, Reply>,
  streamingInputCall: ((call, answer) => {
    let aggregatedPayloadSize = 0;
    call.on("data", ({ payload }) => {
      aggregatedPayloadSize += payload?.body.length ?? 0;
    });
    call.on("end", () => answer(null, { aggregatedPayloadSize }));
  }) satisfies grpc.handleClientStreamingCall<StreamingInputCallRequest, Reply>,
  streamingOutputCall: (async (call) => {
    await sendAsked(call, call.request);
    call.end(trailers(call));
  }) satisfies grpc.handleServerStreamingCall<StreamingOutputCallRequest, Reply>,
  fullDuplexCall: ((call) => {
    sendEchoed(call);
    // A caller that goes away breaks the reading off.
    answerEach(call).catch(() => {});
  }) satisfies grpc.handleBidiStreamingCall<StreamingOutputCallRequest, Reply>,
};

async function answerEach(call: grpc.ServerDuplexStream<StreamingOutputCallRequest, Reply>): Promise<void> {
  for await (const request of call.iterator({ destroyOnReturn: false })) {
    const { responseStatus } = request as StreamingOutputCallRequest;
    if (responseStatus !== undefined) {
      call.emit("error", failure(responseStatus));
      return;
    }
    await sendAsked(call, request);
  }
  call.end(trailers(call));
}

async function sendAsked(call: { write(reply: Reply): boolean }, asked: StreamingOutputCallRequest): Promise<void> {
  for (const { size, intervalUs } of asked.responseParameters) {
    if (intervalUs > 0) await delay(intervalUs / 1000);
    call.write({ payload: { body: Buffer.alloc(size) } });
  }
}

function sendEchoed(call: { readonly metadata: grpc.Metadata; sendMetadata(metadata: grpc.Metadata): void }): void {
  call.sendMetadata(echoed(call.metadata, echo.initial));
}

function trailers({ metadata }: { readonly metadata: grpc.Metadata }): grpc.Metadata {
  return echoed(metadata, echo.trailing);
}

function echoed(from: grpc.Metadata, key: string): grpc.Metadata {
  const metadata = new grpc.Metadata();
  for (const value of from.get(key)) metadata.add(key, value);
  return metadata;
}

function failure({ code, message }: EchoStatus): { code: number; details: string } {
  return { code, details: message };
}
