import { MicroError } from "@microts/core";
import { decodeMessage, encodeMessage } from "@microts/core/codec";
import { type RpcClient, type ServiceClient, serviceClient } from "@microts/core/rpc";
import { AckRequestSchema, ConsumeRequestSchema, EventSchema, Store, Stream } from "@microts/proto/events";
import { Answers } from "./answers.ts";
import type { ConsumeOptions, Delivery, EventsDriver, NewEvent, StreamEvent } from "./driver.ts";
import { eventFrom, farewell, unixSeconds } from "./wire.ts";

/** How long a consumer that leaves waits for the server to have taken its last answers. */
const farewellMs = 1000;

/**
 * The platform's `events` service over RPC. Topics are those of the account the client signs in with. Times have seconds. A consumer whose
 * connection breaks throws; it does not connect again by itself.
 */
export class RemoteEvents implements EventsDriver {
  readonly name = "remote";
  readonly #rpc: RpcClient;
  readonly #namespace: string;
  readonly #stream: ServiceClient<(typeof Stream)["method"]>;
  readonly #store: ServiceClient<(typeof Store)["method"]>;

  /** `namespace` is the issuer of the client's account. `rpc` stays the caller's to close. */
  constructor(rpc: RpcClient, namespace: string) {
    this.#rpc = rpc;
    this.#namespace = namespace;
    this.#stream = serviceClient(Stream, rpc, "events");
    this.#store = serviceClient(Store, rpc, "events");
  }

  async publish(
    namespace: string,
    topic: string,
    { expiresAt, ...event }: NewEvent,
    signal: AbortSignal,
  ): Promise<void> {
    this.#check(namespace, "events.Stream.Publish");
    const message = {
      topic,
      metadata: { ...event.metadata },
      payload: event.payload,
      timestamp: unixSeconds(event.timestamp),
    };
    if (expiresAt === undefined) {
      await this.#stream.publish(message, { signal });
      return;
    }
    const ttl = BigInt(Math.max(1, Math.ceil((expiresAt.getTime() - Date.now()) / 1000)));
    await this.#store.write({ event: message, ttl }, { signal });
  }

  async consume(namespace: string, options: ConsumeOptions, signal: AbortSignal): Promise<AsyncIterable<Delivery>> {
    this.#check(namespace, "events.Stream.Consume");
    const { topic, group, from, autoAck, ackWaitMs, retryLimit } = options;
    const request = {
      topic,
      group,
      offset: from === "latest" ? 0n : from === "earliest" ? 1n : unixSeconds(from),
      // By this side, when the next event is asked for: the server would when it has sent the event, handled or not.
      autoAck: false,
      ackWait: BigInt(Math.ceil(ackWaitMs * 1e6)),
      retryLimit: BigInt(retryLimit),
    };
    const answers = new Answers();
    const bytes = encodeMessage(ConsumeRequestSchema, request, "proto");
    const replies = await this.#rpc.openStream("events", "Stream.Consume", bytes, { signal }, answers);
    return deliveries(replies, answers, autoAck, signal);
  }

  async read(
    namespace: string,
    topic: string,
    limit: number,
    offset: number,
    signal: AbortSignal,
  ): Promise<StreamEvent[]> {
    this.#check(namespace, "events.Store.Read");
    const { events } = await this.#store.read({ topic, limit: BigInt(limit), offset: BigInt(offset) }, { signal });
    return events.map((event) => eventFrom(event).event);
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  #check(namespace: string, id: string): void {
    if (namespace === this.#namespace) return;
    throw MicroError.forbidden(
      id,
      `topics of "${namespace}" can't be reached: this client is signed in to "${this.#namespace}"`,
    );
  }
}

async function* deliveries(
  replies: AsyncGenerator<Uint8Array>,
  answers: Answers,
  autoAck: boolean,
  signal: AbortSignal,
): AsyncGenerator<Delivery, void, undefined> {
  const answer = async (id: string, success: boolean) =>
    answers.push(encodeMessage(AckRequestSchema, { id, success }, "proto"));
  let left = true;
  try {
    // By hand: a loop would end the call when this generator is left, before the server has the last answers.
    for (let reply = await replies.next(); !reply.done; reply = await replies.next()) {
      const { event, attempt } = eventFrom(decodeMessage(EventSchema, reply.value, "proto"));
      yield { event, attempt, ack: () => answer(event.id, true), nack: () => answer(event.id, false) };
      if (autoAck) await answer(event.id, true);
    }
    left = false;
  } catch (error) {
    left = false;
    if (!signal.aborted) throw error;
  } finally {
    if (left && !signal.aborted) await sayFarewell(replies, () => answer(farewell, true));
    answers.end();
    await replies.return(undefined);
  }
}

/** The server ends the stream when it has taken the answers; one that doesn't know the farewell is left after a while. */
async function sayFarewell(replies: AsyncGenerator<Uint8Array>, say: () => Promise<void>): Promise<void> {
  const drained = async () => {
    for (let reply = await replies.next(); !reply.done; ) reply = await replies.next();
  };
  let timer: NodeJS.Timeout | undefined;
  const waited = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, farewellMs);
  });
  await say();
  await Promise.race([drained().catch(() => {}), waited]);
  clearTimeout(timer);
}
