// The cases of gRPC's interop-test-descriptions.md, for our client.
import assert, { deepEqual, equal, rejects } from "node:assert/strict";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { GrpcStatus, type Metadata } from "@microts/core";
import type { CallOptions, Status } from "@microts/core/rpc";
import { type StreamingOutputCallRequestSchema, TestService } from "../../gen/interop_pb.ts";
import type { InteropClient } from "./interop-client.ts";
import { echo } from "./test-service.ts";

/** A case passes, or throws. */
export type Case = (client: InteropClient) => Promise<void>;

const { unaryCall, streamingOutputCall, streamingInputCall, fullDuplexCall } = TestService.method;
const large = { responseSize: 314_159, payload: { body: new Uint8Array(271_828) } };
const talk = [
  [27_182, 31_415],
  [8, 9],
  [1828, 2653],
  [45_904, 58_979],
] as const;
const special = "\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n";

/** What every server has to pass, by the names of the descriptions. */
export const cases: Readonly<Record<string, Case>> = {
  empty_unary: async ({ service }) => {
    equal((await service.emptyCall({})).$typeName, "grpc.testing.Empty");
  },
  large_unary: async ({ service }) => {
    zeros((await service.unaryCall(large)).payload?.body, large.responseSize);
  },
  client_streaming: async ({ service }) => {
    const sizes = talk.map(([size]) => size);
    const requests = async function* () {
      for (const size of sizes) yield { payload: zeroPayload(size) };
    };
    equal((await service.streamingInputCall(requests())).aggregatedPayloadSize, 74_922);
  },
  server_streaming: async ({ service }) => {
    const sizes = talk.map(([, size]) => size);
    const replies = service.streamingOutputCall({ responseParameters: sizes.map((size) => ({ size })) });
    const lengths = await Array.fromAsync(replies, ({ payload }) => payload?.body.length);
    deepEqual(lengths, sizes);
  },
  ping_pong: async (client) => {
    const stream = client.open(fullDuplexCall);
    for (const [sent, asked] of talk) {
      await stream.send({ responseParameters: [{ size: asked }], payload: zeroPayload(sent) });
      zeros((await stream.receive())?.payload?.body, asked);
    }
    equal((await stream.end()).code, GrpcStatus.ok);
    equal(await stream.receive(), undefined);
  },
  empty_stream: async (client) => {
    const stream = client.open(fullDuplexCall);
    equal((await stream.end()).code, GrpcStatus.ok);
    equal(await stream.receive(), undefined);
  },
  custom_metadata: async (client) => {
    const metadata = { [echo.initial]: "test_initial_metadata_value", [echo.trailing]: "q6ur" };
    const [initial, trailing] = Object.values(metadata);
    const seen = outcome();
    zeros((await client.service.unaryCall(large, { metadata, ...seen.options })).payload?.body, large.responseSize);
    equal(seen.headers()[echo.initial], initial);
    equal(seen.status().trailers[echo.trailing], trailing);
    const stream = client.open(fullDuplexCall, { metadata });
    await stream.send({ responseParameters: [{ size: large.responseSize }], payload: large.payload });
    zeros((await stream.receive())?.payload?.body, large.responseSize);
    const status = await stream.end();
    equal(status.code, GrpcStatus.ok);
    equal((await stream.call.headers)[echo.initial], initial);
    equal(status.trailers[echo.trailing], trailing);
  },
  status_code_and_message: async (client) => {
    const responseStatus = { code: GrpcStatus.unknown, message: "test status message" };
    const seen = outcome();
    await rejects(client.service.unaryCall({ responseStatus }, seen.options), { detail: responseStatus.message });
    deepEqual(briefly(seen.status()), responseStatus);
    const stream = client.open(fullDuplexCall);
    await stream.send({ responseStatus });
    deepEqual(briefly(await stream.end()), responseStatus);
  },
  special_status_message: async ({ service }) => {
    const responseStatus = { code: GrpcStatus.unknown, message: special };
    const seen = outcome();
    await rejects(service.unaryCall({ responseStatus }, seen.options), { detail: special });
    deepEqual(briefly(seen.status()), responseStatus);
  },
  unimplemented_method: async ({ service }) => {
    const seen = outcome();
    await rejects(service.unimplementedMethod({}, seen.options), { code: 501 });
    equal(seen.status().code, GrpcStatus.unimplemented);
  },
  unimplemented_service: async ({ rpc }) => {
    const seen = outcome();
    const call = rpc.unary("grpc.testing", "UnimplementedService.UnimplementedCall", new Uint8Array(0), seen.options);
    await rejects(call, { code: 501 });
    equal(seen.status().code, GrpcStatus.unimplemented);
  },
  cancel_after_begin: async (client) => {
    const stream = client.open(streamingInputCall);
    stream.call.cancel();
    equal((await stream.call.status).code, GrpcStatus.cancelled);
  },
  cancel_after_first_response: async (client) => {
    const aborted = new AbortController();
    const stream = client.open(fullDuplexCall, { signal: aborted.signal });
    const [[sent, asked]] = talk;
    await stream.send({ responseParameters: [{ size: asked }], payload: zeroPayload(sent) });
    zeros((await stream.receive())?.payload?.body, asked);
    aborted.abort();
    equal((await stream.call.status).code, GrpcStatus.cancelled);
  },
  timeout_on_sleeping_server: async ({ service }) => {
    const seen = outcome();
    const requests = async function* (): AsyncGenerator<MessageInitShape<typeof StreamingOutputCallRequestSchema>> {
      yield { responseParameters: [{ size: 8, intervalUs: 200_000 }], payload: zeroPayload(27_182) };
    };
    const replies = service.fullDuplexCall(requests(), { timeoutMs: 1, ...seen.options });
    await rejects(Array.fromAsync(replies), { code: 408 });
    equal(seen.status().code, GrpcStatus.deadlineExceeded);
  },
};

/** What a server has to pass that can write compressed messages. */
export const serverCompressionCases: Readonly<Record<string, Case>> = {
  server_compressed_unary: async (client) => {
    for (const value of [true, false]) {
      const stream = client.open(unaryCall);
      await stream.send({ ...large, responseCompressed: { value } });
      const status = stream.end();
      zeros((await stream.receive())?.payload?.body, large.responseSize);
      equal(stream.call.isCompressed, value);
      equal((await status).code, GrpcStatus.ok);
    }
  },
  server_compressed_streaming: async (client) => {
    const asked = [
      { size: 31_415, compressed: { value: true } },
      { size: 92_653, compressed: { value: false } },
    ];
    const stream = client.open(streamingOutputCall);
    await stream.send({ responseParameters: asked });
    const status = stream.end();
    for (const { size, compressed } of asked) {
      zeros((await stream.receive())?.payload?.body, size);
      equal(stream.call.isCompressed, compressed.value);
    }
    equal((await status).code, GrpcStatus.ok);
  },
};

/** What a server has to pass that reads and writes compressed messages and can say which were. */
export const compressionCases: Readonly<Record<string, Case>> = {
  client_compressed_unary: async ({ service }) => {
    const request = (value: boolean) => ({ ...large, expectCompressed: { value } });
    await rejects(service.unaryCall(request(true)), { code: 400 });
    for (const compress of [true, false])
      zeros((await service.unaryCall(request(compress), { compress })).payload?.body, large.responseSize);
  },
  client_compressed_streaming: async (client) => {
    const probe = client.open(streamingInputCall);
    await probe.send({ payload: zeroPayload(27_182), expectCompressed: { value: true } });
    equal((await probe.end()).code, GrpcStatus.invalidArgument);
    const stream = client.open(streamingInputCall, { compress: true });
    await stream.send({ payload: zeroPayload(27_182), expectCompressed: { value: true } }, true);
    await stream.send({ payload: zeroPayload(45_904), expectCompressed: { value: false } }, false);
    const status = stream.end();
    equal((await stream.receive())?.aggregatedPayloadSize, 73_086);
    equal((await status).code, GrpcStatus.ok);
  },
  ...serverCompressionCases,
};

/** For a server that reads compressed messages without saying so. */
export const compressedRequestCases: Readonly<Record<string, Case>> = {
  "large_unary, compressed": async ({ service }) => {
    zeros((await service.unaryCall(large, { compress: true })).payload?.body, large.responseSize);
  },
};

function zeroPayload(size: number): { body: Uint8Array } {
  return { body: new Uint8Array(size) };
}

function zeros(body: Uint8Array | undefined, size: number): void {
  assert(body !== undefined && Buffer.from(body).equals(Buffer.alloc(size)), `not ${size} zeros: ${body?.length}`);
}

/** Takes what a call says beside its replies. */
function outcome(): { options: Pick<CallOptions, "onEnd">; headers(): Metadata; status(): Status } {
  let seen: { headers: Metadata; status: Status } | undefined;
  const get = () => seen ?? assert.fail("the call has not ended");
  const onEnd = (headers: Metadata, status: Status) => {
    seen = { headers, status };
  };
  return { options: { onEnd }, headers: () => get().headers, status: () => get().status };
}

function briefly({ code, message }: Status): { code: number; message: string } {
  return { code, message };
}
