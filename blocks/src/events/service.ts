import { type Account, describe, type Log, MicroError, requireAccount, requireAdmin, silent } from "@microts/core";
import { type CallContext, type Method, methodsOf } from "@microts/core/rpc";
import { Store as StoreService, Stream as StreamService } from "@microts/proto/events";
import type { Delivery, EventPage, Position, Published } from "./driver.ts";
import { type Delivered, decodePublish, encodeDelivered, encodePublished, type PublishCall } from "./event-codec.ts";
import type { Events } from "./events.ts";
import { encodePage } from "./page-codec.ts";
import { takeAnswers, Unanswered } from "./unanswered.ts";
import { positionFrom, settingsFrom, timeFrom, wireSettings } from "./wire.ts";

/** How long consumers that are sent away may take to answer what they have. */
const lastAnswersMs = 500;

/**
 * The block as the service `events` (wire §13). Services and admins use the streams of their own namespace, which is their account's issuer,
 * or name another in the request when they are of `micro`; the original lets in those of `micro` alone. Consumers are sent away when `stopping` aborts.
 * Who deletes is logged.
 */
export function eventsMethods(events: Events, stopping?: AbortSignal, log: Log = silent): Method[] {
  const methods = [...streamMethods(events, stopping, log), ...storeMethods(events)];
  return methods.map((method) => ({ ...method, ...codecs[method.name] }));
}

/** What handlers take and give is not the messages but what is in them. */
const codecs: Readonly<Record<string, Partial<Pick<Method, "decode" | "encode">>>> = {
  "Stream.Publish": {
    decode: decodePublish,
    encode: (value, format) => encodePublished(value as Published, format),
  },
  "Stream.Consume": { encode: (value, format) => encodeDelivered(value as Delivered, format) },
  "Store.Read": { encode: (value, format) => encodePage(value as EventPage, format) },
};

function streamMethods(events: Events, stopping: AbortSignal | undefined, log: Log): Method[] {
  return methodsOf(StreamService, {
    publish(request, { account }) {
      const { namespace: named, topic, payload, id, metadata, timestamp, ttlMs } = request as unknown as PublishCall;
      const namespace = admitted(account, named, "events.Stream.Publish");
      // Without the call's signal: what is cancelled may be on its way to disk, and is so a moment later.
      return given(events.publish(topic, payload, { namespace, id, metadata, timestamp, ttlMs }));
    },
    async consume({ topic, group, offset, from, autoAck, ackWait, retryLimit, ...more }, context) {
      const namespace = admitted(context.account, more.namespace, "events.Stream.Consume");
      if (stopping?.aborted) throw MicroError.unavailable("events.Stream.Consume", "the server is stopping");
      const broken = new AbortController();
      const deliveries = await events.consume(topic, {
        namespace,
        group,
        from: positionFrom(from) ?? timeFrom({ timestamp: offset, timestampMs: 0n }),
        autoAck,
        ackWaitMs: ackWait > 0n ? Number(ackWait) / 1e6 : undefined,
        retryLimit: Number(retryLimit),
        deadLetter: more.drop ? false : more.deadLetter || undefined,
        maxUnanswered: more.maxUnanswered || undefined,
        signal: AbortSignal.any([context.signal, broken.signal]),
      });
      return given(delivered(deliveries, broken, context, stopping));
    },
    async topics({ namespace: named }, { account, signal }) {
      const namespace = admitted(account, named, "events.Stream.Topics");
      const topics = await events.topics({ namespace, signal });
      return {
        topics: topics.map(({ topic, first, end, bytes, settings }) => ({
          topic,
          first: BigInt(first),
          end: BigInt(end),
          bytes: BigInt(bytes),
          settings: wireSettings(settings),
        })),
      };
    },
    async groups({ topic, namespace: named }, { account, signal }) {
      const namespace = admitted(account, named, "events.Stream.Groups");
      const groups = await events.groups(topic, { namespace, signal });
      return {
        groups: groups.map(({ group, position, lag, unanswered, consumers, usedAt }) => ({
          group,
          position: BigInt(position),
          lag: BigInt(lag),
          unanswered: BigInt(unanswered),
          consumers,
          usedAt: BigInt(usedAt.getTime()),
        })),
      };
    },
    async seek({ topic, group, to, namespace: named }, { account, signal }) {
      const namespace = admitted(account, named, "events.Stream.Seek");
      const offset = await events.seek(topic, group, positionFrom(to) ?? "earliest", { namespace, signal });
      return { offset: BigInt(offset) };
    },
    async configure({ topic, settings, namespace: named }, { account, signal }) {
      const namespace = admitted(account, named, "events.Stream.Configure");
      await events.configure(topic, settingsFrom(settings), { namespace, signal });
      return {};
    },
    async deleteTopic({ topic, namespace: named }, { account }) {
      const namespace = admitted(account, named, "events.Stream.DeleteTopic");
      // Without the call's signal: what is cancelled may be done all the same, and then has to be in the log.
      await events.deleteTopic(topic, { namespace });
      log.info("audit: a topic was deleted", { by: whoIs(account), namespace, topic });
      return {};
    },
    async deleteGroup({ topic, group, namespace: named }, { account }) {
      const namespace = admitted(account, named, "events.Stream.DeleteGroup");
      await events.deleteGroup(topic, group, { namespace });
      log.info("audit: a group of a topic was deleted", { by: whoIs(account), namespace, topic, group });
      return {};
    },
  });
}

function storeMethods(events: Events): Method[] {
  return methodsOf(StoreService, {
    async read({ topic, limit, offset, from, until, namespace: named }, { account, signal }) {
      const namespace = admitted(account, named, "events.Store.Read");
      const call = { namespace, signal };
      const position = positionFrom(from) ?? (await skipped(events, topic, Number(offset), call));
      const count = limit === 0n ? undefined : Number(limit);
      return given(await events.page(topic, { ...call, from: position, until: positionFrom(until), limit: count }));
    },
    async write({ event, ttl, namespace: named }, { account, signal }) {
      const at = "events.Store.Write";
      const namespace = admitted(account, named, at);
      if (event === undefined) throw MicroError.badRequest(at, "Missing event");
      const { id, topic, metadata, payload, ...times } = event;
      await events.publish(topic, payload, {
        namespace,
        id: id || undefined,
        metadata,
        timestamp: timeFrom(times),
        ttlMs: ttl > 0n ? Number(ttl) * 1000 : undefined,
        signal,
      });
      return {};
    },
  });
}

/** For the codec of its method, which knows what it is. */
function given(value: unknown): never {
  return value as never;
}

function whoIs(account: Account | undefined): string {
  return account === undefined ? "nobody" : describe(account);
}

function admitted(account: Account | undefined, named: string, at: string): string {
  const { issuer } = requireAccount(account, at);
  const namespace = named || issuer;
  requireAdmin(account, namespace, at);
  return namespace;
}

/** The original counts from the first event that is there. */
async function skipped(
  events: Events,
  topic: string,
  count: number,
  call: { readonly namespace: string; readonly signal: AbortSignal },
): Promise<Position> {
  if (count === 0) return "earliest";
  const { first } = await events.read(topic, { ...call, limit: 1 });
  return first + count;
}

/**
 * Sends what is delivered and, meanwhile, takes the answers that the consumer sends on the same stream (wire §9). However it ends but by a
 * farewell or by `stopping`, it is `broken` off.
 */
async function* delivered(
  deliveries: AsyncIterable<Delivery>,
  broken: AbortController,
  context: CallContext,
  stopping: AbortSignal | undefined,
): AsyncGenerator<Delivered> {
  const iterator = deliveries[Symbol.asyncIterator]();
  const unanswered = new Unanswered();
  let failure: unknown;
  const answers = takeAnswers(unanswered, context).catch((reason: unknown) => {
    failure = reason;
    return true;
  });
  const leave = async () => iterator.return?.();
  void answers.then((over) => (over ? leave() : undefined));
  let dismissed: Promise<unknown> | undefined;
  const dismiss = () => {
    dismissed ??= unanswered.emptied(lastAnswersMs).then(leave);
    return dismissed;
  };
  stopping?.addEventListener("abort", dismiss, { once: true, signal: broken.signal });
  try {
    for (let next = await iterator.next(); !next.done; next = await iterator.next()) {
      const { value: delivery } = next;
      if (stopping?.aborted || unanswered.isReleased) {
        await delivery.release();
        await dismiss();
        continue;
      }
      unanswered.add(delivery);
      yield delivery;
    }
    if (failure !== undefined && !context.signal.aborted) throw failure;
  } finally {
    broken.abort();
  }
}
