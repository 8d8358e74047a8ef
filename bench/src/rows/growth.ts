import { RpcClient, serviceClient } from "@microts/core/rpc";
import { Stream, Store as StreamStore } from "@microts/proto/events";
import { Store } from "@microts/proto/store";
import type { Bench } from "../bench.ts";
import { fillStore, fillTopic, keyAt, pageLength, pagePrefix } from "../fill.ts";
import { closedLoop } from "../load.ts";
import { startMicroServer } from "../micro-server.ts";
import type { Measure, Row } from "../row.ts";

const small = 1_000;
/** Keys have as many digits. */
export const largest = 10_000_000;
const inFlight = 64;
const value = Buffer.alloc(200, "v");
const topic = "events";
/** A replay's part of the topic, which the small one has as a whole. */
const tail = small;
/** Without a common divisor with the sizes, and near their golden section: what is done one after the other lies far apart. */
const stride = 618_033;

/** The same work on so many records and events and on a thousand: what grows with the data shows in the ratio. */
export function growthTo(large: number): readonly Row[] {
  return [
    storeRow(large, "growth-store-read", "Store.Read of 200 B under scattered keys", (rpc, count) => {
      const client = serviceClient(Store, rpc, "store");
      let turn = 0;
      return async () => {
        const { records } = await client.read({ key: keyAt(scattered(turn++, count)) });
        if (records[0]?.value.length !== value.length) throw new Error("a wrong record");
      };
    }),
    storeRow(large, "growth-store-write", "Store.Write of 200 B under scattered keys that are there", (rpc, count) => {
      const client = serviceClient(Store, rpc, "store");
      let turn = 0;
      return async () => {
        await client.write({ record: { key: keyAt(scattered(turn++, count)), value } });
      };
    }),
    storeRow(large, "growth-store-list", `Store.List of ${pageLength} keys with a prefix`, (rpc, count) => {
      const client = serviceClient(Store, rpc, "store");
      let turn = 0;
      return async () => {
        const first = keyAt(scattered(turn++, count / pageLength) * pageLength);
        const options = { prefix: pagePrefix(first), limit: BigInt(pageLength) };
        for await (const { keys } of client.list({ options }))
          if (keys.length !== pageLength || keys[0] !== first) throw new Error("a wrong list");
      };
    }),
    eventRow(large, "growth-event-publish", "Stream.Publish of 200 B, 64 in flight", "calls/s", (rpc, bench, size) => {
      const stream = serviceClient(Stream, rpc, "events");
      let turn = 0;
      return async (ms) => {
        const isSmall = size === small;
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
      large,
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
      large,
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
}

function storeRow(
  large: number,
  name: string,
  title: string,
  callOf: (rpc: RpcClient, count: number) => () => Promise<void>,
): Row {
  return {
    ...rowOf(large, name, `${title}, 64 in flight`, "table", "records"),
    unit: "calls/s",
    open: (bench) =>
      both(bench, large, fillStore, (rpc, count) => {
        const call = callOf(rpc, count);
        return (ms) => closedLoop(call, { inFlight, ms, signal: bench.signal });
      }),
  };
}

function eventRow(
  large: number,
  name: string,
  title: string,
  unit: "calls/s" | "messages/s",
  measureOf: (rpc: RpcClient, bench: Bench, size: number) => Measure,
): Row {
  return {
    ...rowOf(large, name, title, "topic", "events"),
    unit,
    open: (bench) =>
      both(
        bench,
        large,
        (folder, count) => fillTopic(folder, topic, count),
        (rpc, count) => measureOf(rpc, bench, count),
      ),
  };
}

function rowOf(large: number, name: string, title: string, whole: string, things: string): Omit<Row, "unit" | "open"> {
  const [many, few] = [large, small].map((count) => count.toLocaleString("en-US"));
  return {
    name,
    title: `${title}: a ${whole} of ${many} ${things} and one of ${few}`,
    contenders: { large: `micro server with ${many} ${things}`, small: `micro server with ${few} ${things}` },
    bars: [{ text: `≥ 0.7× what it does with ${few} ${things}`, of: "large", against: "small", atLeast: 0.7 }],
    profiled: ["server"],
  };
}

/** A server for each size, filled before it starts. */
async function both(
  bench: Bench,
  large: number,
  fill: (dataFolder: string, count: number) => Promise<void>,
  measureOf: (rpc: RpcClient, count: number) => Measure,
): Promise<Record<string, Measure>> {
  const measures: Record<string, Measure> = {};
  for (const [name, count] of Object.entries({ large, small })) {
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
