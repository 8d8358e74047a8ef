// What a page does with the two libraries of gRPC-Web; bundled for a browser by the tests.
import { create, type DescMessage, fromBinary, type MessageShape, toBinary } from "@bufbuild/protobuf";
import { ConnectError, createClient } from "@connectrpc/connect";
import { createGrpcWebTransport } from "@connectrpc/connect-web";
import grpcWeb from "grpc-web";
import { Dep, RequestSchema, StreamingRequestSchema } from "../../proto/gen/test/dep/dep_pb.ts";

/** An rpc as grpc-web's generated code would describe it. */
function rpc<I extends DescMessage, O extends DescMessage>(path: string, type: string, input: I, output: O) {
  // The library only keeps them, for generated code.
  const constructors = Object as unknown as new () => never;
  return new grpcWeb.MethodDescriptor<MessageShape<I>, MessageShape<O>>(
    path,
    type,
    constructors,
    constructors,
    (request: MessageShape<I>) => toBinary(input, request),
    (bytes: Uint8Array) => fromBinary(output, bytes),
  );
}

const call = rpc("/dep.Dep/Call", "unary", Dep.method.call.input, Dep.method.call.output);
const stream = rpc("/dep.Dep/Stream", "server_streaming", Dep.method.stream.input, Dep.method.stream.output);

/** The reply's text, or the failure: its gRPC code and what it says. */
type Outcome = string | { readonly code: number; readonly message: string };

export interface WebPage {
  /** With connect-web, which has fetch and binary bodies. */
  connect(server: string, name: string): Promise<Outcome>;
  connectStream(server: string, count: number): Promise<string>;
  /** With grpc-web, which has XMLHttpRequest and bodies in text. */
  grpcWeb(server: string, name: string): Promise<Outcome>;
  grpcWebStream(server: string, count: number): Promise<string>;
}

const page: WebPage = {
  async connect(server, name) {
    const client = createClient(Dep, createGrpcWebTransport({ baseUrl: server }));
    try {
      return (await client.call({ name }, { headers: { "x-mark": "!" } })).msg;
    } catch (error) {
      const { code, rawMessage } = ConnectError.from(error);
      return { code, message: rawMessage };
    }
  },

  async connectStream(server, count) {
    const client = createClient(Dep, createGrpcWebTransport({ baseUrl: server }));
    return (await Array.fromAsync(client.stream({ count: BigInt(count) }), (reply) => reply.count)).join();
  },

  async grpcWeb(server, name) {
    const client = new grpcWeb.GrpcWebClientBase({ format: "text" });
    try {
      const request = create(RequestSchema, { name });
      return (await client.unaryCall(`${server}/dep.Dep/Call`, request, { "x-mark": "!" }, call)).msg;
    } catch (error) {
      const { code, message } = error as grpcWeb.RpcError;
      return { code, message };
    }
  },

  grpcWebStream(server, count) {
    const client = new grpcWeb.GrpcWebClientBase({ format: "text" });
    const request = create(StreamingRequestSchema, { count: BigInt(count) });
    const replies = client.serverStreaming(`${server}/dep.Dep/Stream`, request, {}, stream);
    const counts: bigint[] = [];
    return new Promise((resolve, reject) => {
      replies.on("data", (reply) => counts.push(reply.count));
      replies.on("error", reject);
      replies.on("end", () => resolve(counts.join()));
    });
  },
};

Object.assign(globalThis, { page });
