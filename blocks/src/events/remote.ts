import { encodeMessage } from "@microts/core/codec";
import { type RpcClient, type ServiceClient, serviceClient } from "@microts/core/rpc";
import { ConsumeRequestSchema, ReadRequestSchema, Stream } from "@microts/proto/events";
import { Answers } from "./answers.ts";
import type {
  ConsumeOptions,
  Delivery,
  EventPage,
  EventsDriver,
  GroupInfo,
  NewEvent,
  Position,
  Published,
  ReadRange,
  TopicInfo,
  TopicSettings,
} from "./driver.ts";
import { type Answer, decodeDelivered, decodePublished, encodeAnswer, encodePublish } from "./event-codec.ts";
import { never } from "./never.ts";
import { decodePage } from "./page-codec.ts";
import { Prefetched } from "./prefetched.ts";
import { farewell, settingsFrom, wirePosition, wireSettings } from "./wire.ts";

/** How long a consumer that leaves waits for the server to have taken its last answers. */
const farewellMs = 1000;

/**
 * The platform's `events` service over RPC. Namespaces other than that of the account are for admins and services of `micro`. A consumer
 * whose connection breaks throws; it does not connect again by itself.
 */
export class RemoteEvents implements EventsDriver {
  readonly name = "remote";
  readonly #rpc: RpcClient;
  readonly #namespace: string;
  readonly #stream: ServiceClient<(typeof Stream)["method"]>;

  /** `namespace` is the issuer of the client's account. `rpc` stays the caller's to close. */
  constructor(rpc: RpcClient, namespace: string) {
    this.#rpc = rpc;
    this.#namespace = namespace;
    this.#stream = serviceClient(Stream, rpc, "events");
  }

  async publish(namespace: string, topic: string, event: NewEvent, signal: AbortSignal): Promise<Published> {
    const request = encodePublish(this.#named(namespace), topic, event);
    // Listeners on the one signal of all calls would be many.
    const options = signal === never ? {} : { signal };
    return decodePublished(await this.#rpc.unary("events", "Stream.Publish", request, options));
  }

  async consume(namespace: string, options: ConsumeOptions, signal: AbortSignal): Promise<AsyncIterable<Delivery>> {
    const { topic, group, from, ackWaitMs, retryLimit, deadLetter, maxUnanswered } = options;
    const request = {
      topic,
      group,
      from: wirePosition(from),
      // By this side, when the next event is asked for: the server would when it has sent the event, handled or not.
      autoAck: false,
      ackWait: BigInt(Math.ceil(ackWaitMs * 1e6)),
      retryLimit: BigInt(retryLimit),
      deadLetter: deadLetter ?? "",
      drop: deadLetter === undefined,
      maxUnanswered,
      namespace: this.#named(namespace),
    };
    const answers = new Answers();
    const bytes = encodeMessage(ConsumeRequestSchema, request, "proto");
    const over = new AbortController();
    const call = { signal: AbortSignal.any([signal, over.signal]) };
    const replies = await this.#rpc.openStream("events", "Stream.Consume", bytes, call, answers);
    return deliveries(replies, answers, options, signal, over);
  }

  async read(namespace: string, topic: string, range: ReadRange, signal: AbortSignal): Promise<EventPage> {
    const { from, until, limit } = range;
    const positions = { from: wirePosition(from), ...(until !== undefined && { until: wirePosition(until) }) };
    const request = { topic, limit: BigInt(limit), ...positions, namespace: this.#named(namespace) };
    const bytes = encodeMessage(ReadRequestSchema, request, "proto");
    return decodePage(await this.#rpc.unary("events", "Store.Read", bytes, { signal }));
  }

  async topics(namespace: string, signal: AbortSignal): Promise<TopicInfo[]> {
    const { topics } = await this.#stream.topics({ namespace: this.#named(namespace) }, { signal });
    return topics.map(({ topic, first, end, bytes, settings }) => ({
      topic,
      first: Number(first),
      end: Number(end),
      bytes: Number(bytes),
      settings: settingsFrom(settings),
    }));
  }

  async groups(namespace: string, topic: string, signal: AbortSignal): Promise<GroupInfo[]> {
    const { groups } = await this.#stream.groups({ topic, namespace: this.#named(namespace) }, { signal });
    return groups.map(({ group, position, lag, unanswered, consumers, usedAt }) => ({
      group,
      position: Number(position),
      lag: Number(lag),
      unanswered: Number(unanswered),
      consumers,
      usedAt: new Date(Number(usedAt)),
    }));
  }

  async seek(namespace: string, topic: string, group: string, to: Position, signal: AbortSignal): Promise<number> {
    const request = { topic, group, to: wirePosition(to), namespace: this.#named(namespace) };
    const { offset } = await this.#stream.seek(request, { signal });
    return Number(offset);
  }

  async configure(namespace: string, topic: string, settings: TopicSettings, signal: AbortSignal): Promise<void> {
    const request = { topic, settings: wireSettings(settings), namespace: this.#named(namespace) };
    await this.#stream.configure(request, { signal });
  }

  async deleteTopic(namespace: string, topic: string, signal: AbortSignal): Promise<void> {
    await this.#stream.deleteTopic({ topic, namespace: this.#named(namespace) }, { signal });
  }

  async deleteGroup(namespace: string, topic: string, group: string, signal: AbortSignal): Promise<void> {
    await this.#stream.deleteGroup({ topic, group, namespace: this.#named(namespace) }, { signal });
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  #named(namespace: string): string {
    return namespace === this.#namespace ? "" : namespace;
  }
}

async function* deliveries(
  replies: AsyncGenerator<Uint8Array>,
  answers: Answers,
  { autoAck, ackWaitMs }: ConsumeOptions,
  signal: AbortSignal,
  over: AbortController,
): AsyncGenerator<Delivery, void, undefined> {
  const prefetched = new Prefetched(received(replies, answers), ackWaitMs / 3);
  let left = true;
  try {
    // By hand: a loop would end the call when this generator is left, before the server has the last answers.
    for (let next = await prefetched.next(); next !== undefined; next = await prefetched.next()) {
      yield next;
      if (autoAck) await next.ack();
    }
    left = false;
  } catch (error) {
    left = false;
    if (!signal.aborted) throw error;
  } finally {
    prefetched.stop();
    if (left && !signal.aborted) await sayFarewell(replies, answers);
    answers.end();
    over.abort();
  }
}

async function* received(replies: AsyncGenerator<Uint8Array>, answers: Answers): AsyncGenerator<Delivery> {
  for (let reply = await replies.next(); !reply.done; reply = await replies.next()) {
    const { event, attempt } = decodeDelivered(reply.value);
    const { id, offset } = event;
    const answer = async (given: Answer) => answers.push(encodeAnswer(id, offset, given));
    yield {
      event,
      attempt,
      ack: () => answer({ success: true }),
      nack: (reason = "") => answer({ reason }),
      reject: (reason) => answer({ reject: true, reason }),
      extend: () => answer({ extend: true }),
      release: () => answer({ release: true }),
    };
  }
}

/** The server ends the stream when it has taken the answers; one that doesn't know the farewell is left after a while. */
async function sayFarewell(replies: AsyncGenerator<Uint8Array>, answers: Answers): Promise<void> {
  const drained = async () => {
    for (let reply = await replies.next(); !reply.done; ) reply = await replies.next();
  };
  let timer: NodeJS.Timeout | undefined;
  const waited = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, farewellMs);
  });
  answers.push(encodeAnswer(farewell, 0, { success: true }));
  await Promise.race([drained().catch(() => {}), waited]);
  clearTimeout(timer);
}
