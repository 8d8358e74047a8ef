import { type Account, MicroError, requireAccount, requireAdmin } from "@microts/core";
import { decodeMessage } from "@microts/core/codec";
import { type CallContext, type Method, methodsOf } from "@microts/core/rpc";
import { AckRequestSchema, Store as StoreService, Stream as StreamService } from "@microts/proto/events";
import type { Delivery } from "./driver.ts";
import type { Events } from "./events.ts";
import { farewell, ownMetadata, wireEvent } from "./wire.ts";

/** So many deliveries of one consumer are remembered to be answered. */
const maxUnanswered = 10_000;

/**
 * The block as the service `events` (wire §13). Services and admins use the streams of their own namespace, which is their account's issuer;
 * the original lets in those of `micro` alone.
 */
export function eventsMethods(events: Events): Method[] {
  return [...streamMethods(events), ...storeMethods(events)];
}

function streamMethods(events: Events): Method[] {
  return methodsOf(StreamService, {
    async publish({ topic, metadata, payload, timestamp }, { account, signal }) {
      const namespace = admitted(account, "events.Stream.Publish");
      await events.publish(topic, payload, {
        namespace,
        metadata: ownMetadata(metadata),
        timestamp: dateOf(timestamp),
        signal,
      });
      return {};
    },
    async consume({ topic, group, offset, autoAck, ackWait, retryLimit }, context) {
      const namespace = admitted(context.account, "events.Stream.Consume");
      const broken = new AbortController();
      const deliveries = await events.consume(topic, {
        namespace,
        group,
        from: dateOf(offset),
        autoAck,
        ackWaitMs: ackWait > 0n ? Number(ackWait) / 1e6 : undefined,
        retryLimit: Number(retryLimit),
        signal: AbortSignal.any([context.signal, broken.signal]),
      });
      return delivered(deliveries, broken, context);
    },
  });
}

function storeMethods(events: Events): Method[] {
  return methodsOf(StoreService, {
    async read({ topic, limit, offset }, { account, signal }) {
      const namespace = admitted(account, "events.Store.Read");
      const options = { namespace, limit: limit === 0n ? undefined : Number(limit), offset: Number(offset), signal };
      return { events: (await events.read(topic, options)).map((event) => wireEvent(event)) };
    },
    async write({ event, ttl }, { account, signal }) {
      const at = "events.Store.Write";
      const namespace = admitted(account, at);
      if (event === undefined) throw MicroError.badRequest(at, "Missing event");
      const { topic, metadata, payload, timestamp } = event;
      const ttlMs = ttl > 0n ? Number(ttl) * 1000 : undefined;
      await events.publish(topic, payload, {
        namespace,
        metadata: ownMetadata(metadata),
        timestamp: dateOf(timestamp),
        ttlMs,
        signal,
      });
      return {};
    },
  });
}

function admitted(account: Account | undefined, at: string): string {
  const { issuer } = requireAccount(account, at);
  requireAdmin(account, issuer, at);
  return issuer;
}

/**
 * Sends what is delivered and, meanwhile, takes the answers that the consumer sends on the same stream (wire §9). However it ends but by a
 * farewell, it is `broken` off.
 */
async function* delivered(deliveries: AsyncIterable<Delivery>, broken: AbortController, context: CallContext) {
  const iterator = deliveries[Symbol.asyncIterator]();
  const unanswered = new Map<string, Delivery>();
  let failure: unknown;
  const answers = takeAnswers(unanswered, context).catch((reason: unknown) => {
    failure = reason;
    return true;
  });
  void answers.then((over) => (over ? iterator.return?.() : undefined));
  try {
    for (let next = await iterator.next(); !next.done; next = await iterator.next()) {
      remember(unanswered, next.value);
      yield wireEvent(next.value.event, next.value.attempt);
    }
    if (failure !== undefined && !context.signal.aborted) throw failure;
  } finally {
    broken.abort();
  }
}

function remember(unanswered: Map<string, Delivery>, delivery: Delivery): void {
  unanswered.delete(delivery.event.id);
  unanswered.set(delivery.event.id, delivery);
  const oldest = unanswered.keys().next();
  if (unanswered.size > maxUnanswered && !oldest.done) unanswered.delete(oldest.value);
}

/** Resolves when no more answers come: true after a farewell, false when the caller has closed its side or gone. */
async function takeAnswers(unanswered: Map<string, Delivery>, { rest, format }: CallContext): Promise<boolean> {
  const answering = new Set<Promise<void>>();
  for await (const bytes of rest) {
    const { id, success } = decodeMessage(AckRequestSchema, bytes, format);
    if (id === farewell) {
      await Promise.all(answering);
      return true;
    }
    const delivery = unanswered.get(id);
    if (delivery === undefined) continue;
    unanswered.delete(id);
    const answer = success ? delivery.ack() : delivery.nack();
    answering.add(answer);
    // A failed one is delivered again when its wait is over.
    answer.catch(() => {}).finally(() => answering.delete(answer));
  }
  return false;
}

/** Unix seconds; 0 and less for none. */
function dateOf(seconds: bigint): Date | undefined {
  return seconds > 0n ? new Date(Number(seconds) * 1000) : undefined;
}
