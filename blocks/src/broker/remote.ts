import { MicroError } from "@microts/core";
import { openStream, type RpcClient, type ServiceClient, serviceClient } from "@microts/core/rpc";
import { Broker as BrokerService } from "@microts/proto/broker";
import type { BrokerDriver, BrokerMessage } from "./driver.ts";

/** The platform's broker over RPC. The namespace of topics is that of the account the client signs in with; another can't be reached. */
export class RemoteBroker implements BrokerDriver {
  readonly name = "remote";
  readonly #rpc: RpcClient;
  readonly #namespace: string;
  readonly #broker: ServiceClient<(typeof BrokerService)["method"]>;

  /** `namespace` is the issuer of the client's account. */
  constructor(rpc: RpcClient, namespace: string) {
    this.#rpc = rpc;
    this.#namespace = namespace;
    this.#broker = serviceClient(BrokerService, rpc, "broker");
  }

  async publish(namespace: string, topic: string, { header, body }: BrokerMessage, signal: AbortSignal): Promise<void> {
    this.#check(namespace, "broker.Broker.Publish");
    await this.#broker.publish({ topic, message: { header: { ...header }, body } }, { signal });
  }

  async subscribe(
    namespace: string,
    topic: string,
    queue: string,
    signal: AbortSignal,
  ): Promise<AsyncIterable<BrokerMessage>> {
    this.#check(namespace, "broker.Broker.Subscribe");
    const replies = await openStream(BrokerService.method.subscribe, this.#rpc, "broker", { topic, queue }, { signal });
    return messagesOf(replies, signal);
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
  replies: AsyncIterable<BrokerMessage>,
  signal: AbortSignal,
): AsyncGenerator<BrokerMessage, void, undefined> {
  try {
    for await (const { header, body } of replies) yield { header, body };
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}
