import { encodeMessage } from "@microts/core/codec";
import { mapped, type RpcClient } from "@microts/core/rpc";
import { SubscribeRequestSchema } from "@microts/proto/broker";
import type { BrokerDriver, BrokerMessage, Subscription } from "./driver.ts";
import { DeliveryReader, encodePublish } from "./wire.ts";

/** The platform's broker over RPC. Namespaces other than that of the account are for admins and services of `micro`. */
export class RemoteBroker implements BrokerDriver {
  readonly name = "remote";
  readonly #rpc: RpcClient;
  readonly #namespace: string;

  /** `namespace` is the issuer of the client's account. */
  constructor(rpc: RpcClient, namespace: string) {
    this.#rpc = rpc;
    this.#namespace = namespace;
  }

  async publish(namespace: string, message: BrokerMessage, signal?: AbortSignal): Promise<void> {
    const request = encodePublish(message.topic, message, this.#named(namespace));
    await this.#rpc.unary("broker", "Broker.Publish", request, { signal });
  }

  async subscribe(
    namespace: string,
    { topic, queue, whenSlow }: Subscription,
    signal: AbortSignal,
  ): Promise<AsyncIterable<BrokerMessage>> {
    const wanted = { topic, queue, disconnectWhenSlow: whenSlow === "disconnect", namespace: this.#named(namespace) };
    const request = encodeMessage(SubscribeRequestSchema, wanted, "proto");
    const replies = await this.#rpc.openStream("broker", "Broker.Subscribe", request, { signal });
    const reader = new DeliveryReader(topic);
    return mapped(replies, (bytes) => reader.read(bytes), signal);
  }

  #named(namespace: string): string {
    return namespace === this.#namespace ? "" : namespace;
  }

  /** The RPC client is its owner's to close. */
  async [Symbol.asyncDispose](): Promise<void> {}
}
