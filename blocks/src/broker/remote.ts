import { MicroError } from "@microts/core";
import { encodeMessage } from "@microts/core/codec";
import type { RpcClient } from "@microts/core/rpc";
import { SubscribeRequestSchema } from "@microts/proto/broker";
import type { BrokerDriver, BrokerMessage, Subscription } from "./driver.ts";
import { decodeDelivery, encodePublish, topicHeader } from "./wire.ts";

/** The platform's broker over RPC. The namespace of topics is that of the account the client signs in with; another can't be reached. */
export class RemoteBroker implements BrokerDriver {
  readonly name = "remote";
  readonly #rpc: RpcClient;
  readonly #namespace: string;

  /** `namespace` is the issuer of the client's account. */
  constructor(rpc: RpcClient, namespace: string) {
    this.#rpc = rpc;
    this.#namespace = namespace;
  }

  async publish(namespace: string, message: BrokerMessage, signal: AbortSignal): Promise<void> {
    this.#check(namespace, "broker.Broker.Publish");
    await this.#rpc.unary("broker", "Broker.Publish", encodePublish(message.topic, message), { signal });
  }

  async subscribe(
    namespace: string,
    { topic, queue, whenSlow }: Subscription,
    signal: AbortSignal,
  ): Promise<AsyncIterable<BrokerMessage>> {
    this.#check(namespace, "broker.Broker.Subscribe");
    const request = encodeMessage(
      SubscribeRequestSchema,
      { topic, queue, disconnectWhenSlow: whenSlow === "disconnect" },
      "proto",
    );
    return messagesOf(await this.#rpc.openStream("broker", "Broker.Subscribe", request, { signal }), topic, signal);
  }

  #check(namespace: string, id: string): void {
    if (namespace === this.#namespace) return;
    throw MicroError.forbidden(
      id,
      `topics of "${namespace}" can't be reached: this client is signed in to "${this.#namespace}"`,
    );
  }

  /** The RPC client is its owner's to close. */
  async [Symbol.asyncDispose](): Promise<void> {}
}

/** Without an error at the end that the signal itself brought about. */
async function* messagesOf(
  replies: AsyncIterable<Uint8Array>,
  subscribedTo: string,
  signal: AbortSignal,
): AsyncGenerator<BrokerMessage, void, undefined> {
  try {
    for await (const bytes of replies) {
      const { header, body } = decodeDelivery(bytes, "proto");
      yield { topic: header[topicHeader] ?? subscribedTo, header, body };
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}
