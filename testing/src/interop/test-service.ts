import { setTimeout as delay } from "node:timers/promises";
import type { DescMessage, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import { GrpcStatus, type Metadata } from "@microts/core";
import { decodeMessage, encodeMessage } from "@microts/core/codec";
import {
  type Listener,
  type ListenOptions,
  listen,
  type ServerCall,
  type Status,
  StatusError,
} from "@microts/core/rpc";
import { type BoolValue, type EchoStatus, type StreamingOutputCallRequest, TestService } from "../../gen/interop_pb.ts";

const { emptyCall, unaryCall, streamingOutputCall, streamingInputCall, fullDuplexCall } = TestService.method;

/**
 * Serves the test service of gRPC's interop tests (its interop-test-descriptions.md) on our server, on a free loopback port. It stands on the
 * calls themselves and not on methods: the cases look at compression message by message, and at what comes before and after the messages.
 */
export function serveTestService(tls: ListenOptions["tls"]): Promise<Listener> {
  return listen(answer, { address: "127.0.0.1:0", ...(tls !== undefined && { tls }) });
}

const prefix = `/${TestService.typeName}/`;

async function answer(call: ServerCall): Promise<void> {
  const method = call.path.startsWith(prefix) ? call.path.slice(prefix.length) : "";
  const serve = served[method];
  if (serve === undefined) fail(GrpcStatus.unimplemented, `${call.path} is not there`);
  const headers: Record<string, string> = {};
  const [initial, trailing] = [call.metadata[echo.initial], call.metadata[echo.trailing]];
  if (initial !== undefined) headers[echo.initial] = initial;
  call.compress(false);
  await serve(call, headers);
  if (trailing !== undefined) throw new StatusError(status(GrpcStatus.ok, "", { [echo.trailing]: trailing }));
}

/** Metadata that the server sends back in its headers and in its trailers. */
export const echo = { initial: "x-grpc-test-echo-initial", trailing: "x-grpc-test-echo-trailing-bin" } as const;

type Serve = (call: ServerCall, headers: Metadata) => Promise<void>;

const served: Readonly<Record<string, Serve>> = {
  [emptyCall.name]: async (call, headers) => {
    await only(call, emptyCall.input);
    call.sendHeaders(headers);
    await send(call, emptyCall.output, {});
  },
  [unaryCall.name]: async (call, headers) => {
    const request = await only(call, unaryCall.input);
    checkCompressed(call, request.expectCompressed);
    endWith(request.responseStatus);
    call.compress(request.responseCompressed?.value ?? false);
    call.sendHeaders(headers);
    await send(call, unaryCall.output, { payload: { body: new Uint8Array(request.responseSize) } });
  },
  [streamingInputCall.name]: async (call, headers) => {
    let aggregatedPayloadSize = 0;
    for await (const bytes of call.requests) {
      const request = decodeMessage(streamingInputCall.input, bytes, "proto");
      checkCompressed(call, request.expectCompressed);
      aggregatedPayloadSize += request.payload?.body.length ?? 0;
    }
    call.sendHeaders(headers);
    await send(call, streamingInputCall.output, { aggregatedPayloadSize });
  },
  [streamingOutputCall.name]: async (call, headers) => {
    const request = await only(call, streamingOutputCall.input);
    call.compress(request.responseParameters.some(({ compressed }) => compressed?.value));
    call.sendHeaders(headers);
    await sendAsked(call, request);
  },
  [fullDuplexCall.name]: async (call, headers) => {
    call.sendHeaders(headers);
    for await (const bytes of call.requests) {
      const request = decodeMessage(fullDuplexCall.input, bytes, "proto");
      endWith(request.responseStatus);
      await sendAsked(call, request);
    }
  },
};

async function sendAsked(call: ServerCall, request: StreamingOutputCallRequest): Promise<void> {
  for (const { size, intervalUs, compressed } of request.responseParameters) {
    if (intervalUs > 0) await delay(intervalUs / 1000);
    call.compress(compressed?.value ?? false);
    await send(call, streamingOutputCall.output, { payload: { body: new Uint8Array(size) } });
  }
}

async function only<T extends DescMessage>(call: ServerCall, schema: T): Promise<MessageShape<T>> {
  const bytes = await call.read();
  if (bytes === undefined) fail(GrpcStatus.unimplemented, "a message was expected, and none came");
  return decodeMessage(schema, bytes, "proto");
}

function send<T extends DescMessage>(call: ServerCall, schema: T, message: MessageInitShape<T>): Promise<void> {
  return call.send(encodeMessage(schema, message, "proto"));
}

/** A request that says how it comes has to come so. */
function checkCompressed({ isCompressed }: ServerCall, expected: BoolValue | undefined): void {
  if (expected === undefined || expected.value === isCompressed) return;
  fail(GrpcStatus.invalidArgument, `the message came ${isCompressed ? "" : "un"}compressed`);
}

function endWith(asked: EchoStatus | undefined): void {
  if (asked !== undefined) fail(asked.code, asked.message);
}

function fail(code: number, message: string): never {
  throw new StatusError(status(code, message, {}));
}

function status(code: number, message: string, trailers: Metadata): Status {
  return { code, message, trailers };
}
