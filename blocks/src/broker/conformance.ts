import { deepEqual, equal, ok } from "node:assert/strict";
import type { BrokerDriver, BrokerMessage, Subscription, WhenSlow } from "./driver.ts";

/** Registers one test; `it` of any runner fits. */
export type BrokerTest = (name: string, run: () => Promise<void>) => unknown;

export interface BrokerHarness {
  open(): Promise<BrokerDriver>;
}

const signal = new AbortController().signal;
const message = (text: string, topic = "orders"): BrokerMessage => ({
  topic,
  header: { n: text },
  body: new TextEncoder().encode(text),
});
const to = (topic: string, queue = "", whenSlow: WhenSlow = "drop"): Subscription => ({ topic, queue, whenSlow });

/** What every broker driver promises: one test for each sentence of `driver.ts`. */
export function brokerConformance(test: BrokerTest, { open }: BrokerHarness): void {
  test("hands a message to everybody subscribed, header and body", async () => {
    await using driver = await open();
    const readers = await Promise.all(["", ""].map(() => driver.subscribe("acme", to("orders"), signal)));
    await driver.publish("acme", { topic: "orders", header: { "X-Id": "7" }, body: Uint8Array.of(0, 255) }, signal);
    for (const reader of readers) {
      const [received] = await take(reader, 1);
      equal(received?.topic, "orders");
      equal(received?.header["X-Id"], "7");
      deepEqual([...(received?.body ?? [])], [0, 255]);
    }
  });

  test("takes a message nobody listens to", async () => {
    await using driver = await open();
    await driver.publish("acme", message("1", "nobody"), signal);
  });

  test("keeps nothing for later", async () => {
    await using driver = await open();
    await driver.publish("acme", message("before"), signal);
    const reader = await driver.subscribe("acme", to("orders"), signal);
    await driver.publish("acme", message("after"), signal);
    deepEqual(texts(await take(reader, 1)), ["after"]);
  });

  test("keeps a publisher's order", async () => {
    await using driver = await open();
    const reader = await driver.subscribe("acme", to("orders"), signal);
    const sent = Array.from({ length: 300 }, (_, index) => String(index));
    for (const text of sent) await driver.publish("acme", message(text), signal);
    deepEqual(texts(await take(reader, sent.length)), sent);
  });

  test("keeps topics apart", async () => {
    await using driver = await open();
    const reader = await driver.subscribe("acme", to("orders"), signal);
    await driver.publish("acme", message("other", "orders.eu"), signal);
    await driver.publish("acme", message("mine"), signal);
    deepEqual(texts(await take(reader, 1)), ["mine"]);
  });

  test("keeps namespaces apart", async () => {
    await using driver = await open();
    const reader = await driver.subscribe("acme", to("orders"), signal);
    await driver.publish("umbrella", message("other"), signal);
    await driver.publish("acme", message("mine"), signal);
    deepEqual(texts(await take(reader, 1)), ["mine"]);
  });

  test("shares messages within a queue: one receiver each, evenly (BR-03)", async () => {
    await using driver = await open();
    const abort = new AbortController();
    const members = await Promise.all(
      ["q", "q", "q", "q"].map((queue) => driver.subscribe("acme", to("orders", queue), abort.signal)),
    );
    const witness = await driver.subscribe("acme", to("orders"), signal);
    const received: string[][] = members.map(() => []);
    let outstanding = 800;
    const all = Promise.withResolvers<void>();
    const reading = members.map(async (member, index) => {
      for await (const { header } of member) {
        received[index]?.push(header["n"] ?? "");
        if (--outstanding === 0) all.resolve();
      }
    });
    for (let sent = 0; sent < 800; sent++) await driver.publish("acme", message(String(sent)), signal);
    await all.promise;
    abort.abort();
    await Promise.all(reading);
    equal(new Set(received.flat()).size, 800);
    const counts = received.map(({ length }) => length);
    ok(Math.max(...counts) / Math.min(...counts) <= 1.3, `spread ${counts}`);
    equal((await take(witness, 800)).length, 800);
  });

  test("gives * one part of a topic and > at the end one or more, as NATS does", async () => {
    await using driver = await open();
    const abort = new AbortController();
    const topics = [
      "orders",
      "orders.eu",
      "orders.us",
      "orders.eu.new",
      "orders.eu.new.big",
      "orders.",
      "bills.eu",
      "a*b",
    ];
    const expected: Readonly<Record<string, readonly string[]>> = {
      "orders.*": ["orders.eu", "orders.us", "orders."],
      "orders.>": ["orders.eu", "orders.us", "orders.eu.new", "orders.eu.new.big", "orders."],
      "*.eu": ["orders.eu", "bills.eu"],
      "*.eu.>": ["orders.eu.new", "orders.eu.new.big"],
      "orders.*.new": ["orders.eu.new"],
      "*": ["orders", "a*b"],
      "a*b": ["a*b"],
      ">": topics,
    };
    const readers = new Map<string, AsyncIterable<BrokerMessage>>();
    for (const pattern of Object.keys(expected))
      readers.set(pattern, await driver.subscribe("acme", to(pattern), abort.signal));
    for (const topic of topics) await driver.publish("acme", message(topic, topic), signal);
    for (const [pattern, reader] of readers) {
      const wanted = expected[pattern] ?? [];
      const found = await take(reader, wanted.length);
      deepEqual(
        found.map(({ topic }) => topic),
        wanted,
        pattern,
      );
      deepEqual(texts(found), wanted);
    }
    abort.abort();
  });

  test("shares a queue among those who want a topic, whatever their patterns", async () => {
    await using driver = await open();
    const abort = new AbortController();
    const got: { readonly pattern: string; readonly topic: string; readonly text: string }[] = [];
    const all = Promise.withResolvers<void>();
    const reading: Promise<void>[] = [];
    for (const pattern of ["orders.eu", "orders.*", "orders.us"]) {
      const reader = await driver.subscribe("acme", to(pattern, "q"), abort.signal);
      const read = async () => {
        for await (const { topic, header } of reader)
          if (got.push({ pattern, topic, text: header["n"] ?? "" }) === 120) all.resolve();
      };
      reading.push(read());
    }
    for (let sent = 0; sent < 60; sent++) {
      await driver.publish("acme", message(`eu ${sent}`, "orders.eu"), signal);
      await driver.publish("acme", message(`us ${sent}`, "orders.us"), signal);
    }
    await all.promise;
    abort.abort();
    await Promise.all(reading);
    equal(new Set(got.map(({ text }) => text)).size, 120);
    deepEqual([...new Set(got.map(({ pattern, topic }) => `${topic} at ${pattern}`))].toSorted(), [
      "orders.eu at orders.*",
      "orders.eu at orders.eu",
      "orders.us at orders.*",
      "orders.us at orders.us",
    ]);
  });

  test("gives all that follows to the others when a member of a queue leaves", async () => {
    await using driver = await open();
    const leaving = new AbortController();
    const abort = new AbortController();
    await driver.subscribe("acme", to("orders", "q"), leaving.signal);
    const staying = await driver.subscribe("acme", to("orders", "q"), abort.signal);
    const got = new Set<string>();
    const reading = (async () => {
      for await (const { header } of staying) got.add(header["n"] ?? "");
    })();
    leaving.abort();
    // Until the other end knows that the member has left, it is given its share. A whole row here, with time to arrive, says that it knows.
    const row = (from: number) => Array.from({ length: 20 }, (_, n) => String(from + n));
    for (let from = 0; !row(from - 60).every((text) => got.has(text)); from += 20) {
      for (const text of row(from)) await driver.publish("acme", message(text), signal);
    }
    abort.abort();
    await reading;
  });

  test("ends without an error when the signal aborts", async () => {
    await using driver = await open();
    const abort = new AbortController();
    const reader = await driver.subscribe("acme", to("orders"), abort.signal);
    const reading = take(reader, 1);
    abort.abort();
    deepEqual(await reading, []);
  });
}

async function take(messages: AsyncIterable<BrokerMessage>, count: number): Promise<BrokerMessage[]> {
  const taken: BrokerMessage[] = [];
  for await (const each of messages) {
    taken.push(each);
    if (taken.length === count) break;
  }
  return taken;
}

function texts(messages: readonly BrokerMessage[]): string[] {
  return messages.map(({ body }) => new TextDecoder().decode(body));
}
