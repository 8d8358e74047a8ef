import { once } from "node:events";
import {
  create,
  createFileRegistry,
  type DescMessage,
  type DescMethod,
  type DescService,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema, FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import * as grpc from "@grpc/grpc-js";
import { findMethod, listen, type Method, parsePath, serveMethod } from "@microts/core/rpc";
import { type StandardServices, standardServices } from "@microts/core/rpc/services";
import { ServerReflection, type ServerReflectionResponse } from "@microts/proto/grpc/reflection/v1";

export interface ServedStandard extends AsyncDisposable {
  readonly address: string;
  readonly client: grpc.Client;
  /** Resolves when no call is being answered. */
  idle(): Promise<void>;
}

/** gRPC's standard services, but those named in `without`, on a loopback port, before the methods of other services, and a client of grpc-js. */
export async function serveStandard(
  options: StandardServices,
  methods: readonly Method[] = [],
  without: readonly string[] = [],
): Promise<ServedStandard> {
  const standard = new Map(standardServices(options));
  for (const service of without) standard.delete(service);
  const own = new Map(methods.map((method) => [method.name, method]));
  const running = new Set<Promise<void>>();
  const listener = await listen(
    async (call) => {
      const { service, endpoint } = parsePath(call.path);
      const method = findMethod(standard.get(service) ?? own, service, endpoint);
      const serving = serveMethod(call, method, { service, account: undefined, namespace: "micro" });
      running.add(serving);
      await serving.finally(() => running.delete(serving));
    },
    { address: "127.0.0.1:0" },
  );
  const client = new grpc.Client(listener.address, grpc.credentials.createInsecure());
  return {
    address: listener.address,
    client,
    async idle() {
      await Promise.allSettled(running);
    },
    async [Symbol.asyncDispose]() {
      client.close();
      await listener.close(0);
    },
  };
}

/** The path, writer and reader of a protobuf method, as grpc-js takes them. */
export function partsOf<I extends DescMessage, O extends DescMessage>(method: DescMethod & { input: I; output: O }) {
  const { input, output } = method;
  return [
    `/${method.parent.typeName}/${method.name}`,
    (message: MessageInitShape<I>) => Buffer.from(toBinary(input, create(input, message))),
    (bytes: Buffer): MessageShape<O> => fromBinary(output, bytes),
  ] as const;
}

/** One reply; rejects with grpc-js's error. */
export function unaryCall<I extends DescMessage, O extends DescMessage>(
  client: grpc.Client,
  method: DescMethod & { input: I; output: O },
  request: MessageInitShape<I>,
): Promise<MessageShape<O>> {
  const [path, write, read] = partsOf(method);
  const reply = Promise.withResolvers<MessageShape<O>>();
  client.makeUnaryRequest(path, write, read, request, (error, value) =>
    error ? reply.reject(error) : reply.resolve(value as MessageShape<O>),
  );
  return reply.promise;
}

/** How a call ends, whether well or not. */
export function endOf(call: grpc.ClientReadableStream<unknown>): Promise<grpc.StatusObject> {
  call.on("error", () => {});
  return new Promise((resolve) => call.once("status", resolve));
}

/** The protobuf service of a server, as its reflection shows it. */
export async function reflectedService(client: grpc.Client, name: string): Promise<DescService> {
  const talk = client.makeBidiStreamRequest(...partsOf(ServerReflection.method.serverReflectionInfo));
  const answer = once(talk, "data");
  talk.end({ host: "", messageRequest: { case: "fileContainingSymbol", value: name } });
  const [{ messageResponse }] = (await answer) as [ServerReflectionResponse];
  if (messageResponse.case !== "fileDescriptorResponse") throw new Error(`${name}: ${JSON.stringify(messageResponse)}`);
  const files = messageResponse.value.fileDescriptorProto.map((bytes) => fromBinary(FileDescriptorProtoSchema, bytes));
  // A registry wants what a file stands on before the file.
  const registry = createFileRegistry(create(FileDescriptorSetSchema, { file: files.toReversed() }));
  const service = registry.getService(name);
  if (service === undefined)
    throw new Error(`${name} is not in the files ${files.map((file) => file.name).join(", ")}`);
  return service;
}
