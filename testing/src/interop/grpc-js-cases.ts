// The cases of gRPC's interop-test-descriptions.md, for grpc-js's client.
import assert, { deepEqual, equal } from "node:assert/strict";
import { type EventEmitter, once } from "node:events";
import * as grpc from "@grpc/grpc-js";
import type { SimpleResponse, StreamingInputCallResponse, StreamingOutputCallResponse } from "../../gen/interop_pb.ts";
import { testServiceOfGrpcJs } from "./grpc-js-server.ts";
import { echo } from "./test-service.ts";
import type { Served } from "./ways.ts";

const { status, Metadata } = grpc;
const notCompressed = 2;
const large = { responseSize: 314_159, payload: { body: Buffer.alloc(271_828) } };
const talk = [
  [27_182, 31_415],
  [8, 9],
  [1828, 2653],
  [45_904, 58_979],
] as const;
const special = "\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n";
const gzip = { "grpc.default_compression_algorithm": grpc.compressionAlgorithms.gzip };

/** Runs a case with a new client, and with one that compresses. */
function withClients(
  run: (client: GrpcJsClient, compressing: GrpcJsClient) => Promise<void>,
): (served: Served) => Promise<void> {
  return async ({ address, certificate }) => {
    const ca = certificate && Buffer.from(certificate.cert);
    const credentials = ca === undefined ? grpc.credentials.createInsecure() : grpc.credentials.createSsl(ca);
    const name = { "grpc.ssl_target_name_override": "localhost" };
    const plain = new GrpcJsClient(address, credentials, name);
    const compressing = new GrpcJsClient(address, credentials, { ...name, ...gzip });
    try {
      await run(plain, compressing);
    } finally {
      plain.close();
      compressing.close();
    }
  };
}

type Talk = grpc.ClientDuplexStream<object, StreamingOutputCallResponse>;

class GrpcJsClient extends grpc.Client {
  /** A unary call, with the headers and the status that came with its reply. */
  async unary(method: string, request: object, metadata = new Metadata()): Promise<Outcome<SimpleResponse>> {
    const { path, requestSerialize, responseDeserialize } = definitionOf<SimpleResponse>(method);
    const reply = Promise.withResolvers<SimpleResponse | undefined>();
    const call = this.makeUnaryRequest(path, requestSerialize, responseDeserialize, request, metadata, (_, value) =>
      reply.resolve(value),
    );
    const ended = endOf(call);
    let headers = new Metadata();
    call.once("metadata", (came) => {
      headers = came;
    });
    return { reply: await reply.promise, headers, status: await ended };
  }

  /** A call that sends many messages and gets one. */
  async upload(requests: readonly (readonly [object, flags?: number])[]): Promise<Outcome<StreamingInputCallResponse>> {
    const reply = Promise.withResolvers<StreamingInputCallResponse | undefined>();
    const call = this.openUpload((value) => reply.resolve(value));
    const ended = endOf(call);
    for (const [request, flags] of requests) call.write(request, flags);
    call.end();
    return { reply: await reply.promise, headers: new Metadata(), status: await ended };
  }

  openUpload(onReply: (reply?: StreamingInputCallResponse) => void): grpc.ClientWritableStream<object> {
    const { path, requestSerialize, responseDeserialize } =
      definitionOf<StreamingInputCallResponse>("streamingInputCall");
    return this.makeClientStreamRequest(path, requestSerialize, responseDeserialize, (_, value) => onReply(value));
  }

  download(request: object): grpc.ClientReadableStream<StreamingOutputCallResponse> {
    const { path, requestSerialize, responseDeserialize } =
      definitionOf<StreamingOutputCallResponse>("streamingOutputCall");
    return this.makeServerStreamRequest(path, requestSerialize, responseDeserialize, request);
  }

  talk(metadata = new Metadata(), options: grpc.CallOptions = {}): Talk {
    const { path, requestSerialize, responseDeserialize } = definitionOf<StreamingOutputCallResponse>("fullDuplexCall");
    return this.makeBidiStreamRequest(path, requestSerialize, responseDeserialize, metadata, options);
  }
}

function definitionOf<O>(method: string): grpc.MethodDefinition<object, O> {
  return testServiceOfGrpcJs[method] ?? assert.fail(`no ${method}`);
}

/** How a call ends; its errors are told by that. */
function endOf(call: EventEmitter): Promise<grpc.StatusObject> {
  call.on("error", () => {});
  return new Promise((resolve) => call.once("status", resolve));
}

interface Outcome<T> {
  readonly reply: T | undefined;
  readonly headers: grpc.Metadata;
  readonly status: grpc.StatusObject;
}

/** What grpc-js's client has to find at a server. */
export const grpcJsCases: Readonly<Record<string, (served: Served) => Promise<void>>> = {
  empty_unary: withClients(async (client) => {
    const { reply, status: ending } = await client.unary("emptyCall", {});
    equal(ending.code, status.OK);
    assert(reply !== undefined);
  }),
  large_unary: withClients(async (client) => {
    zeros((await client.unary("unaryCall", large)).reply?.payload?.body, large.responseSize);
  }),
  client_streaming: withClients(async (client) => {
    const { reply } = await client.upload(talk.map(([size]) => [{ payload: { body: Buffer.alloc(size) } }]));
    equal(reply?.aggregatedPayloadSize, 74_922);
  }),
  server_streaming: withClients(async (client) => {
    const sizes = talk.map(([, size]) => size);
    deepEqual(await sizesOf(client.download({ responseParameters: sizes.map((size) => ({ size })) })), sizes);
  }),
  ping_pong: withClients(async (client) => {
    const stream = client.talk();
    for (const [sent, asked] of talk) {
      stream.write({ responseParameters: [{ size: asked }], payload: { body: Buffer.alloc(sent) } });
      zeros((await once(stream, "data"))[0].payload?.body, asked);
    }
    await endsWith(stream, status.OK);
  }),
  empty_stream: withClients(async (client) => {
    const stream = client.talk();
    stream.on("data", () => assert.fail("a message came"));
    await endsWith(stream, status.OK);
  }),
  custom_metadata: withClients(async (client) => {
    const metadata = new Metadata();
    metadata.set(echo.initial, "test_initial_metadata_value");
    metadata.set(echo.trailing, Buffer.from("ababab", "hex"));
    const check = (headers: grpc.Metadata, ending: grpc.StatusObject) => {
      equal(ending.code, status.OK);
      deepEqual(headers.get(echo.initial), ["test_initial_metadata_value"]);
      deepEqual(ending.metadata.get(echo.trailing), [Buffer.from("ababab", "hex")]);
    };
    const unary = await client.unary("unaryCall", large, metadata);
    check(unary.headers, unary.status);
    const stream = client.talk(metadata);
    stream.resume();
    const headers = once(stream, "metadata");
    const ended = endOf(stream);
    stream.write({ responseParameters: [{ size: 1 }] });
    stream.end();
    check((await headers)[0], await ended);
  }),
  status_code_and_message: withClients(async (client) => {
    const responseStatus = { code: status.UNKNOWN, message: "test status message" };
    const unary = await client.unary("unaryCall", { responseStatus });
    deepEqual([unary.status.code, unary.status.details], [status.UNKNOWN, responseStatus.message]);
    const stream = client.talk();
    stream.write({ responseStatus });
    await endsWith(stream, status.UNKNOWN, responseStatus.message);
  }),
  special_status_message: withClients(async (client) => {
    const { status: ending } = await client.unary("unaryCall", { responseStatus: { code: 2, message: special } });
    deepEqual([ending.code, ending.details], [status.UNKNOWN, special]);
  }),
  unimplemented_method: unimplemented("/grpc.testing.TestService/UnimplementedMethod"),
  unimplemented_service: unimplemented("/grpc.testing.UnimplementedService/UnimplementedCall"),
  cancel_after_begin: withClients(async (client) => {
    const call = client.openUpload(() => {});
    const ended = endOf(call);
    call.cancel();
    equal((await ended).code, status.CANCELLED);
  }),
  cancel_after_first_response: withClients(async (client) => {
    const stream = client.talk();
    stream.write({ responseParameters: [{ size: 31_415 }], payload: { body: Buffer.alloc(27_182) } });
    zeros((await once(stream, "data"))[0].payload?.body, 31_415);
    const ended = endOf(stream);
    stream.cancel();
    equal((await ended).code, status.CANCELLED);
  }),
  timeout_on_sleeping_server: withClients(async (client) => {
    const stream = client.talk(new Metadata(), { deadline: Date.now() + 1 });
    stream.resume();
    const ended = endOf(stream);
    stream.write({ responseParameters: [{ size: 8, intervalUs: 200_000 }], payload: { body: Buffer.alloc(27_182) } });
    equal((await ended).code, status.DEADLINE_EXCEEDED);
  }),
  client_compressed_unary: withClients(async (client, compressing) => {
    const request = (value: boolean) => ({ ...large, expectCompressed: { value } });
    equal((await client.unary("unaryCall", request(true))).status.code, status.INVALID_ARGUMENT);
    zeros((await compressing.unary("unaryCall", request(true))).reply?.payload?.body, large.responseSize);
    zeros((await client.unary("unaryCall", request(false))).reply?.payload?.body, large.responseSize);
  }),
  client_compressed_streaming: withClients(async (client, compressing) => {
    const request = (size: number, value: boolean) => ({
      payload: { body: Buffer.alloc(size) },
      expectCompressed: { value },
    });
    equal((await client.upload([[request(27_182, true)]])).status.code, status.INVALID_ARGUMENT);
    const { reply } = await compressing.upload([[request(27_182, true)], [request(45_904, false), notCompressed]]);
    equal(reply?.aggregatedPayloadSize, 73_086);
  }),
  // grpc-js reads compressed messages and doesn't tell which were.
  server_compressed_unary: withClients(async (client) => {
    for (const value of [true, false]) {
      const { reply } = await client.unary("unaryCall", { ...large, responseCompressed: { value } });
      zeros(reply?.payload?.body, large.responseSize);
    }
  }),
  server_compressed_streaming: withClients(async (client) => {
    const asked = [
      { size: 31_415, compressed: { value: true } },
      { size: 92_653, compressed: { value: false } },
    ];
    deepEqual(await sizesOf(client.download({ responseParameters: asked })), [31_415, 92_653]);
  }),
};

function unimplemented(path: string): (served: Served) => Promise<void> {
  return withClients(async (client) => {
    const nothing = Buffer.alloc(0);
    const call = client.makeUnaryRequest(
      path,
      () => nothing,
      (bytes: Buffer) => bytes,
      nothing,
      () => {},
    );
    equal((await endOf(call)).code, status.UNIMPLEMENTED);
  });
}

async function sizesOf(
  replies: grpc.ClientReadableStream<StreamingOutputCallResponse>,
): Promise<(number | undefined)[]> {
  return await Array.fromAsync(
    replies as AsyncIterable<StreamingOutputCallResponse>,
    ({ payload }) => payload?.body.length,
  );
}

/** Half-closes, and checks how the server ends the call. */
async function endsWith(stream: Talk, code: number, details?: string): Promise<void> {
  stream.resume();
  const ended = endOf(stream);
  stream.end();
  const ending = await ended;
  equal(ending.code, code);
  if (details !== undefined) equal(ending.details, details);
}

function zeros(body: Uint8Array | undefined, size: number): void {
  assert(body !== undefined && Buffer.from(body).equals(Buffer.alloc(size)), `not ${size} zeros: ${body?.length}`);
}
