import { Broker, RemoteBroker } from "@microts/blocks/broker";
import { Events, RemoteEvents } from "@microts/blocks/events";
import { RpcClient } from "@microts/core/rpc";
import type { Bench } from "../bench.ts";
import { type Nats, startNats, subject } from "../engines/nats.ts";
import { startRedis } from "../engines/redis.ts";
import { closedLoop } from "../load.ts";
import { startMicroServer } from "../micro-server.ts";
import { measureMicroV3 } from "../peers/micro-v3.ts";
import type { Measure, Row, Skipped } from "../row.ts";

const inFlight = 64;
const payload = Buffer.alloc(200, "e");
const replayed = 50_000;
const subscribers = 10;
const noNats: Skipped = { skipped: "nats-server is not installed (tools/referees.sh builds it)" };

/** Events and messages of `micro server` through its proxy. */
export const events: readonly Row[] = [
  {
    name: "event-publish",
    title: "Stream.Publish of 200 B through RPC, 64 in flight, acknowledged after fsync",
    unit: "calls/s",
    contenders: {
      ours: "events.Stream through the proxy of micro server, admin's token",
      "JetStream, synced": "NATS JetStream, sync_interval: always",
      JetStream: "NATS JetStream as it comes, which answers before the message is on disk",
      redis: "Redis Streams (XADD), appendfsync always",
      "Micro v3": "the original in Go: its events through its proxy, the admin's token, our client",
    },
    bars: [
      { text: "≥ 1.5× JetStream as it comes", of: "ours", against: "JetStream", atLeast: 1.5 },
      { text: "≥ 5× JetStream, sync_interval: always", of: "ours", against: "JetStream, synced", atLeast: 5 },
      { text: "≥ 0.8× Redis Streams, appendfsync always", of: "ours", against: "redis", atLeast: 0.8 },
      { text: "≥ 100× Micro v3", of: "ours", against: "Micro v3", atLeast: 100 },
    ],
    isApart: true,
    profiled: ["client", "server"],
    async open(bench) {
      const stream = await platformEvents(bench);
      const [synced, asItComes] = [await startNats(bench, "synced", true), await startNats(bench, "nats", false)];
      const redis = await startRedis(bench);
      const publish = (call: () => Promise<unknown>) => repeated(bench, call);
      return {
        ours: await publish(() => stream.publish(subject, payload)),
        "JetStream, synced":
          synced === undefined ? noNats : await publish(() => synced.stream.publish(subject, payload)),
        JetStream: asItComes === undefined ? noNats : await publish(() => asItComes.stream.publish(subject, payload)),
        redis:
          redis === undefined
            ? { skipped: "redis-server is not installed (Debian: redis-server)" }
            : await publish(() => redis.xAdd(subject, "*", { payload })),
      };
    },
    separate: { "Micro v3": (bench) => measureMicroV3(bench, "event-publish") },
  },
  {
    name: "event-replay",
    title: `Replay of ${replayed.toLocaleString("en")} events of 200 B from the first on`,
    unit: "messages/s",
    contenders: {
      ours: "Events.replay, which reads pages by Store.Read, through the proxy of micro server",
      consumer: "Events.consume, each event acknowledged, through the proxy of micro server",
      JetStream: "NATS JetStream, ordered consumer",
    },
    bars: [{ text: "≥ 1× JetStream, ordered consumer", of: "ours", against: "JetStream", atLeast: 1 }],
    isApart: true,
    profiled: ["client", "server"],
    async open(bench) {
      const stream = await platformEvents(bench);
      const nats = await startNats(bench, "nats", false);
      await filled(() => stream.publish(subject, payload));
      if (nats !== undefined) await filled(() => nats.stream.publish(subject, payload));
      return {
        ours: () => timed(() => replay(stream)),
        consumer: () => timed(() => consume(stream)),
        JetStream: nats === undefined ? noNats : () => timed(() => replayNats(nats)),
      };
    },
  },
  {
    name: "broker-fanout",
    title: `Broker: messages of 200 B to ${subscribers} subscribers, deliveries`,
    unit: "messages/s",
    contenders: {
      ours: "broker.Broker through the proxy of micro server",
      nats: "NATS core, published 64 at a time, then flushed",
    },
    bars: [{ text: "≥ 0.4× NATS core", of: "ours", against: "nats", atLeast: 0.4 }],
    isApart: true,
    profiled: ["client", "server"],
    async open(bench) {
      const nats = await startNats(bench, "nats", false);
      return {
        ours: await fanOut(bench, await startMicroServer(bench, "ours")),
        nats: nats === undefined ? noNats : await fanOutNats(bench, nats),
      };
    },
  },
];

async function platformEvents(bench: Bench): Promise<Events> {
  const server = await startMicroServer(bench, "ours");
  const authorization = await server.authorization();
  const { proxy } = server.addresses;
  const rpc = bench.use(new RpcClient({ resolve: () => proxy, metadata: () => ({ authorization }) }));
  return new Events(new RemoteEvents(rpc, "micro"));
}

async function repeated(bench: Bench, call: () => Promise<unknown>): Promise<Measure> {
  await call();
  const each = async () => {
    await call();
  };
  return (ms) => closedLoop(each, { inFlight, ms, signal: bench.signal });
}

async function filled(publish: () => Promise<unknown>): Promise<void> {
  let left = replayed;
  const slots = Array.from({ length: inFlight }, async () => {
    while (left-- > 0) await publish();
  });
  await Promise.all(slots);
}

async function timed(run: () => Promise<void>): Promise<{ value: number }> {
  const startedMs = performance.now();
  await run();
  return { value: replayed / ((performance.now() - startedMs) / 1000) };
}

async function replay(events: Events): Promise<void> {
  let next = 0;
  for await (const event of events.replay(subject, { until: replayed })) check(event, next++);
  if (next < replayed) throw new Error(`the stream ended after ${next} events`);
}

async function consume(events: Events): Promise<void> {
  let next = 0;
  for await (const { event } of await events.consume(subject, { from: "earliest" })) {
    check(event, next++);
    if (next === replayed) return;
  }
}

function check({ offset, payload: bytes }: { readonly offset: number; readonly payload: Uint8Array }, next: number) {
  if (offset !== next || bytes.length !== payload.length) throw new Error("a wrong event");
}

async function replayNats({ stream }: Nats): Promise<void> {
  const consumer = await stream.consumers.get(subject);
  const messages = await consumer.consume({ max_messages: 5000 });
  let count = 0;
  for await (const message of messages) {
    if (message.data.length !== payload.length) throw new Error("a wrong event");
    if (++count === replayed) break;
  }
}

interface Fan {
  /** Sends a message, or a few. */
  publish(): Promise<unknown>;
  /** What all subscribers together have received. */
  received: number;
}

/** Publishes until the time is up, and counts what has come by then. */
function delivered(bench: Bench, fan: Fan, slots: number): Measure {
  return async (ms) => {
    const before = fan.received;
    const startedMs = performance.now();
    await closedLoop(
      async () => {
        await fan.publish();
      },
      { inFlight: slots, ms, signal: bench.signal },
    );
    return { value: (fan.received - before) / ((performance.now() - startedMs) / 1000) };
  };
}

async function fanOut(bench: Bench, server: Awaited<ReturnType<typeof startMicroServer>>): Promise<Measure> {
  const authorization = await server.authorization();
  const { proxy } = server.addresses;
  // One connection for all, as NATS's client has it.
  const rpc = bench.use(new RpcClient({ resolve: () => proxy, metadata: () => ({ authorization }) }));
  const broker = new Broker(new RemoteBroker(rpc, "micro"));
  const publish = () => broker.publish(subject, payload);
  const fan: Fan = { publish, received: 0 };
  const seen = Array.from({ length: subscribers }, () => 0);
  const subscribe = async (at: number) => {
    for await (const { body } of await broker.subscribe(subject, { signal: bench.signal })) {
      if (body.length !== payload.length) throw new Error("a wrong message");
      seen[at] = (seen[at] ?? 0) + 1;
      fan.received++;
    }
  };
  for (let at = 0; at < subscribers; at++) subscribe(at).catch(() => {});
  // A subscription is live some time after it was asked for.
  while (seen.some((count) => count === 0)) await publish();
  return delivered(bench, fan, inFlight);
}

async function fanOutNats(bench: Bench, nats: Nats): Promise<Measure> {
  const topic = "fan";
  const fan: Fan = {
    publish: async () => {
      for (let n = 0; n < inFlight; n++) nats.connection.publish(topic, payload);
      await nats.connection.flush();
    },
    received: 0,
  };
  for (let at = 0; at < subscribers; at++) {
    nats.connection.subscribe(topic, {
      callback: (_, message) => {
        if (message.data.length !== payload.length) throw new Error("a wrong message");
        fan.received++;
      },
    });
  }
  await nats.connection.flush();
  return delivered(bench, fan, 1);
}
