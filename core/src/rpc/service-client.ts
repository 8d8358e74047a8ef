import type { DescMessage, DescMethod, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import type { GenService, GenServiceMethods } from "@bufbuild/protobuf/codegenv2";
import { decodeMessage, encodeMessage, type Format } from "../codec/index.ts";
import type { CallOptions, RpcClient } from "./client.ts";
import { kindOf } from "./method.ts";
import { mapped } from "./pull.ts";

type CallerOf<M> = M extends {
  methodKind: infer K;
  input: infer I extends DescMessage;
  output: infer O extends DescMessage;
}
  ? K extends "unary"
    ? (request: MessageInitShape<I>, options?: CallOptions) => Promise<MessageShape<O>>
    : K extends "server_streaming"
      ? (request: MessageInitShape<I>, options?: CallOptions) => AsyncIterable<MessageShape<O>>
      : K extends "client_streaming"
        ? (requests: AsyncIterable<MessageInitShape<I>>, options?: CallOptions) => Promise<MessageShape<O>>
        : (requests: AsyncIterable<MessageInitShape<I>>, options?: CallOptions) => AsyncIterable<MessageShape<O>>
  : never;

/** One function for each rpc of a protobuf service. */
export type ServiceClient<T extends GenServiceMethods> = { readonly [K in keyof T]: CallerOf<T[K]> };

/** A typed client of a protobuf service under the Micro service name it runs as (which is not the proto package, wire §0.4). */
export function serviceClient<T extends GenServiceMethods>(
  descriptor: GenService<T>,
  rpc: RpcClient,
  service: string,
): ServiceClient<T> {
  const callers = descriptor.methods.map((method) => {
    const endpoint = `${descriptor.name}.${method.name}`;
    const encode = (message: unknown, format: Format = "proto") =>
      encodeMessage(method.input, message as MessageInitShape<DescMessage>, format);
    const decode = (bytes: Uint8Array, format: Format = "proto") => decodeMessage(method.output, bytes, format);
    const caller = {
      unary: async (request: unknown, options: CallOptions = {}) =>
        decode(await rpc.unary(service, endpoint, encode(request, options.format), options), options.format),
      server: (request: unknown, options: CallOptions = {}) =>
        mapped(rpc.serverStream(service, endpoint, encode(request, options.format), options), (bytes) =>
          decode(bytes, options.format),
        ),
      client: async (requests: AsyncIterable<unknown>, options: CallOptions = {}) => {
        const bytes = mapped(requests, (request) => encode(request, options.format));
        return decode(await rpc.clientStream(service, endpoint, bytes, options), options.format);
      },
      bidi: (requests: AsyncIterable<unknown>, options: CallOptions = {}) => {
        const bytes = mapped(requests, (request) => encode(request, options.format));
        return mapped(rpc.bidi(service, endpoint, bytes, options), (reply) => decode(reply, options.format));
      },
    }[kindOf(method)];
    return [method.localName, caller];
  });
  return Object.fromEntries(callers) as ServiceClient<T>;
}

/** A method of a generated service, such as `Registry.method.watch`. */
type StreamMethod<I extends DescMessage, O extends DescMessage> = Pick<DescMethod, "name" | "parent"> & {
  readonly input: I;
  readonly output: O;
};

/** `RpcClient.openStream` with a protobuf method's messages. */
export async function openStream<I extends DescMessage, O extends DescMessage>(
  method: StreamMethod<I, O>,
  rpc: RpcClient,
  service: string,
  request: MessageInitShape<I>,
  options: CallOptions = {},
): Promise<AsyncIterable<MessageShape<O>>> {
  const { format = "proto" } = options;
  const bytes = encodeMessage(method.input, request, format);
  const replies = await rpc.openStream(service, `${method.parent.name}.${method.name}`, bytes, options);
  return mapped(replies, (reply) => decodeMessage(method.output, reply, format));
}
