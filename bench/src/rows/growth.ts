import { RpcClient, serviceClient } from "@microts/core/rpc";
import { Stream, Store as StreamStore } from "@microts/proto/events";
import { Store } from "@microts/proto/store";
import type { Bench } from "../bench.ts";
import { fillStore, fillTopic, keyAt, pageLength, pagePrefix } from "../fill.ts";
import { closedLoop } from "../load.ts";
import { startMicroServer } from "../micro-server.ts";
import type { Measure, Row } from "../row.ts";

const sizes = { large: 1_000_000, small: 1_000 } as const;
const inFlight = 64;
const value = Buffer.alloc(200, "v");
const topic = "events";
/** A replay's part of the topic, which the small one has as a whole. */
const tail = sizes.small;
/** Without a common divisor with the sizes, and near their golden section: what is done one after the other lies far apart. */
const stride = 618_033;

/** The same work on much and on little: what grows with the data shows in the ratio. */
export const growth: readonly Row[] = [
  storeRow("growth-store-read", "Store.Read of 200 B under scattered keys", (rpc, count) => {
    const client = serviceClient(Store, rpc, "store");
    let turn = 0;
    return async () => {
      const { records } = await client.read({ key: keyAt(scattered(turn++, count)) });
      if (records[0]?.value.length !== value.length) throw new Error("a wrong record");
    };
  }),
  storeRow("growth-store-write", "Store.Write of 200 B under scattered keys that are there", (rpc, count) => {
    const client = serviceClient(Store, rpc, "store");
    let turn = 0;
    return async () => {
      await client.write({ record: { key: keyAt(scattered(turn++, count)), value } });
    };
  }),
  storeRow("growth-store-list", `Store.List of ${pageLength} keys with a prefix`, (rpc, count) => {
    const client = serviceClient(Store, rpc, "store");
    let turn = 0;
    return async () => {
      const first = keyAt(scattered(turn++, count / pageLength) * pageLength);
      const options = { prefix: pagePrefix(first), limit: BigInt(pageLength) };
      for await (const { keys } of client.list({ options }))
        if (keys.length !== pageLength || keys[0] !== first) throw new Error("a wrong list");
    };
  }),
  eventRow("growth-event-publish", "Stream.Publish of 200 B, 64 in flight", "calls/s", (rpc, bench, size) => {
    const stream = serviceClient(Stream, rpc, "events");
    let turn = 0;
    return async (ms) => {
      const isSmall = size === sizes.small;
      // What was published in the turn before would be most of a small topic.
      const to = isSmall && turn++ > 0 ? `${topic}-${turn}` : topic;
      const publish = async () => {
        await stream.publish({ topic: to, payload: value });
      };
      if (to !== topic) for (let n = 0; n < size; n += pageLength) await Promise.all(times(pageLength, publish));
      return closedLoop(publish, { inFlight, ms, signal: bench.signal });
    };
  }),
  eventRow(
    "growth-event-read",
    `Store.Read of ${pageLength} events from scattered offsets, 64 in flight`,
    "calls/s",
    (rpc, bench, size) => {
      const client = serviceClient(StreamStore, rpc, "events");
      let turn = 0;
      const read = async () => {
        const first = BigInt(scattered(turn++, size - pageLength));
        const { events } = await client.read({ topic, from: { offset: first }, limit: BigInt(pageLength) });
        if (events.length !== pageLength || events[0]?.offset !== first) throw new Error("a wrong page");
      };
      return (ms) => closedLoop(read, { inFlight, ms, signal: bench.signal });
    },
  ),
  eventRow(
    "growth-event-replay",
    `Stream.Consume of a topic's last ${tail} events`,
    "messages/s",
    (rpc, bench, size) => {
      const stream = serviceClient(Stream, rpc, "events");
      const replay = async () => {
        let next = size - tail;
        for await (const event of stream.consume({ topic, autoAck: true, from: { offset: BigInt(next) } })) {
          if (Number(event.offset) !== next++) throw new Error("a wrong event");
          if (next === size) return;
        }
        throw new Error(`the stream ended before event ${next}`);
      };
      return async (ms) => {
        const { value } = await closedLoop(replay, { inFlight: 1, ms, signal: bench.signal });
        return { value: value * tail };
      };
    },
  ),
];

function storeRow(name: string, title: string, callOf: (rpc: RpcClient, count: number) => () => Promise<void>): Row {
  return {
    ...rowOf(name, `${title}, 64 in flight: a table of 1 M records and one of 1 k`, "records"),
    unit: "calls/s",
    open: (bench) =>
      both(bench, fillStore, (rpc, count) => {
        const call = callOf(rpc, count);
        return (ms) => closedLoop(call, { inFlight, ms, signal: bench.signal });
      }),
  };
}

function eventRow(
  name: string,
  title: string,
  unit: "calls/s" | "messages/s",
  measureOf: (rpc: RpcClient, bench: Bench, size: number) => Measure,
): Row {
  return {
    ...rowOf(name, `${title}: a topic of 1 M events and one of 1 k`, "events"),
    unit,
    open: (bench) =>
      both(
        bench,
        (folder, count) => fillTopic(folder, topic, count),
        (rpc, count) => measureOf(rpc, bench, count),
      ),
  };
}

function rowOf(name: string, title: string, things: string): Omit<Row, "unit" | "open"> {
  return {
    name,
    title,
    contenders: { large: `micro server with 1,000,000 ${things}`, small: `micro server with 1,000 ${things}` },
    bars: [{ text: `≥ 0.7× what it does with 1,000 ${things}`, of: "large", against: "small", atLeast: 0.7 }],
    profiled: ["server"],
  };
}

/** A server for each size, filled before it starts. */
async function both(
  bench: Bench,
  fill: (dataFolder: string, count: number) => Promise<void>,
  measureOf: (rpc: RpcClient, count: number) => Measure,
): Promise<Record<string, Measure>> {
  const measures: Record<string, Measure> = {};
  for (const [name, count] of Object.entries(sizes)) {
    const server = await startMicroServer(bench, name, { fill: (folder) => fill(folder, count) });
    const authorization = await server.authorization();
    const { proxy } = server.addresses;
    const rpc = bench.use(new RpcClient({ resolve: () => proxy, metadata: () => ({ authorization }) }));
    measures[name] = measureOf(rpc, count);
    // It goes through its files after a start, which takes longer the larger they are and is not what is measured.
    await server.process.settled(bench.signal);
  }
  return measures;
}

function scattered(turn: number, count: number): number {
  return (turn * stride) % count;
}

function times<T>(count: number, make: () => T): T[] {
  return Array.from({ length: count }, make);
}
