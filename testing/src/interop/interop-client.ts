import type { DescMessage, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import { decodeMessage, encodeMessage } from "@microts/core/codec";
import {
  type CallOptions,
  type ClientCall,
  Connections,
  type ConnectionsOptions,
  RpcClient,
  type ServiceClient,
  type Status,
  serviceClient,
} from "@microts/core/rpc";
import { TestService } from "../../gen/interop_pb.ts";

interface MethodOf<I extends DescMessage, O extends DescMessage> {
  readonly name: string;
  readonly input: I;
  readonly output: O;
}

/** Our client of the interop test service at one address. */
export class InteropClient implements AsyncDisposable {
  readonly rpc: RpcClient;
  readonly service: ServiceClient<(typeof TestService)["method"]>;
  readonly #address: string;
  readonly #connections: Connections;

  constructor(address: string, tls?: ConnectionsOptions["tls"]) {
    this.#address = address;
    this.#connections = new Connections(tls === undefined ? {} : { tls });
    this.rpc = new RpcClient({ resolve: () => address, connections: this.#connections });
    this.service = serviceClient(TestService, this.rpc, "grpc.testing");
  }

  /** Starts a call whose messages and their compression are looked at one by one. */
  open<I extends DescMessage, O extends DescMessage>(
    method: MethodOf<I, O>,
    { metadata = {}, compress, signal }: Pick<CallOptions, "metadata" | "compress" | "signal"> = {},
  ): Exchange<I, O> {
    const start = {
      path: `/${TestService.typeName}/${method.name}`,
      contentType: "application/grpc",
      metadata,
      deadline: new Date(Date.now() + 20_000),
      compress,
    };
    return new Exchange(this.#connections.open(this.#address, start, signal), method);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.rpc[Symbol.asyncDispose]();
    await this.#connections[Symbol.asyncDispose]();
  }
}

/** A call, message by message. */
export class Exchange<I extends DescMessage, O extends DescMessage> {
  readonly call: ClientCall;
  readonly #method: MethodOf<I, O>;

  constructor(call: ClientCall, method: MethodOf<I, O>) {
    this.call = call;
    this.#method = method;
  }

  async send(message: MessageInitShape<I>, compress = false): Promise<void> {
    await this.call.send(encodeMessage(this.#method.input, message, "proto"), { compress });
  }

  /** The next message; undefined after the last. */
  async receive(): Promise<MessageShape<O> | undefined> {
    const bytes = await this.call.read();
    return bytes === undefined ? undefined : decodeMessage(this.#method.output, bytes, "proto");
  }

  /** Half-closes, and gives the status once the server has ended the call. */
  async end(): Promise<Status> {
    this.call.end();
    return await this.call.status;
  }
}
