import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { BrokerMessage, Subscription } from "@microts/blocks/broker";
import { lineLog } from "@microts/core";
import { brokerConformance } from "../../../blocks/src/broker/conformance.ts";
import { EmbeddedBroker } from "./broker.ts";

const signal = new AbortController().signal;

const whenSlow = "drop";
const orders: Subscription = { topic: "orders", queue: "", whenSlow };

function message(number: number, publisher = "p", topic = "orders"): BrokerMessage {
  return { topic, header: { publisher, number: String(number) }, body: new Uint8Array() };
}

describe("EmbeddedBroker", () => {
  brokerConformance(it, { open: async () => new EmbeddedBroker() });

  it("brings 100 subscribers 10,000 messages once each, in each publisher's order (BR-01)", async () => {
    await using broker = new EmbeddedBroker();
    const each = 5_000;
    const readers = await Promise.all(Array.from({ length: 100 }, () => broker.subscribe("acme", orders, signal)));
    const reading = readers.map(async (reader) => {
      const next: Record<string, number> = { a: 0, b: 0 };
      for await (const { header } of reader) {
        const publisher = header["publisher"] ?? "";
        const expected = next[publisher] ?? -1;
        if (Number(header["number"]) !== expected) assert.fail(`${header["number"]} came instead of ${expected}`);
        next[publisher] = expected + 1;
        if (next["a"] === each && next["b"] === each) return;
      }
    });
    const publish = async (publisher: string) => {
      for (let number = 0; number < each; number++) {
        await broker.publish("acme", message(number, publisher));
        // Readers on the same event loop have to get a turn, or they fall behind.
        if (number % 100 === 0) await new Promise((resolve) => setImmediate(resolve));
      }
    };
    await Promise.all([publish("a"), publish("b"), ...reading]);
    assert.equal(broker.dropped, 0);
    assert.equal(broker.subscriptions, 0);
  });

  it("shares 8,000 messages among a queue of 4, each to one of them, evenly (BR-03)", async () => {
    await using broker = new EmbeddedBroker();
    const abort = new AbortController();
    const got: number[][] = [[], [], [], []];
    const reading = got.map(async (numbers) => {
      for await (const { header } of await broker.subscribe("acme", { ...orders, queue: "q" }, abort.signal))
        numbers.push(Number(header["number"]));
    });
    for (let number = 0; number < 8_000; number++) {
      await broker.publish("acme", message(number));
      if (number % 100 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    while (got.flat().length < 8_000) await new Promise((resolve) => setImmediate(resolve));
    abort.abort();
    await Promise.all(reading);
    assert.equal(new Set(got.flat()).size, 8_000);
    const counts = got.map(({ length }) => length);
    assert.ok(Math.max(...counts) / Math.min(...counts) <= 1.3, `${counts}`);
    for (const numbers of got)
      assert.deepEqual(
        numbers,
        numbers.toSorted((a, b) => a - b),
      );
  });

  it("lets no subscriber that never reads or throws disturb the others or the publisher (BR-02)", async () => {
    await using broker = new EmbeddedBroker();
    await broker.subscribe("acme", orders, signal);
    const throwing = (async () => {
      for await (const _ of await broker.subscribe("acme", orders, signal)) throw new Error("the handler failed");
    })();
    const reader = await broker.subscribe("acme", orders, signal);
    for (let number = 0; number < 2_000; number++) await broker.publish("acme", message(number), signal);
    let received = 0;
    for await (const { header } of reader) {
      assert.equal(header["number"], String(received++));
      if (received === 2_000) break;
    }
    await assert.rejects(throwing, /the handler failed/);
    assert.equal(broker.subscriptions, 1);
  });

  it("gives a queue's messages to who reads them, not to a member that is stuck (BR-03)", async () => {
    await using broker = new EmbeddedBroker();
    await broker.subscribe("acme", { ...orders, queue: "q" }, signal);
    const abort = new AbortController();
    const reader = await broker.subscribe("acme", { ...orders, queue: "q" }, abort.signal);
    let received = 0;
    const reading = (async () => {
      for await (const _ of reader) received++;
    })();
    for (let number = 0; number < 1_000; number++) {
      await broker.publish("acme", message(number), signal);
      await new Promise((resolve) => setImmediate(resolve));
    }
    abort.abort();
    await reading;
    assert.ok(received >= 995, `${received} of 1000 came to the member that reads`);
  });

  it("gives what a member of a queue leaves unread to the others (BR-03)", async () => {
    await using broker = new EmbeddedBroker();
    const leaving = new AbortController();
    await broker.subscribe("acme", { ...orders, queue: "q" }, leaving.signal);
    await broker.subscribe("acme", { ...orders, topic: "bills", queue: "q" }, signal);
    const staying = await broker.subscribe("acme", { ...orders, topic: "*", queue: "q" }, signal);
    for (let number = 0; number < 1_000; number++) await broker.publish("acme", message(number), signal);
    leaving.abort();
    const got = new Set<string>();
    for await (const { header } of staying) if (got.add(header["number"] ?? "").size === 1_000) break;
    assert.equal(broker.dropped, 0);
  });

  it("drops the oldest for a reader 10 000 messages behind, counts and logs them (BR-04)", async () => {
    const lines: string[] = [];
    await using broker = new EmbeddedBroker({ log: lineLog((line) => lines.push(line)) });
    const reader = await broker.subscribe("acme", orders, signal);
    for (let number = 0; number < 12_500; number++) await broker.publish("acme", message(number), signal);
    let received = 0;
    for await (const { header } of reader) {
      if (received === 0) assert.equal(header["number"], "2500");
      if (++received === 10_000) break;
    }
    assert.equal(broker.dropped, 2_500);
    assert.match(lines.join(""), /too slow and loses messages.*topic=orders dropped=1\n/);
    assert.match(lines.join(""), /a subscriber that lost messages has left.*topic=orders dropped=2500\n/);
  });

  it("disconnects a reader that falls behind and wants it so, and counts and logs it (BR-04)", async () => {
    const lines: string[] = [];
    await using broker = new EmbeddedBroker({ log: lineLog((line) => lines.push(line)) });
    const reader = await broker.subscribe("acme", { ...orders, whenSlow: "disconnect" }, signal);
    for (let number = 0; number <= 10_000; number++) await broker.publish("acme", message(number), signal);
    assert.equal(broker.subscriptions, 0);
    await assert.rejects(reader[Symbol.asyncIterator]().next(), {
      code: 429,
      message: /10000 messages.*Subscribe again/,
    });
    assert.deepEqual({ dropped: broker.dropped, disconnected: broker.disconnected }, { dropped: 0, disconnected: 1 });
    assert.match(lines.join(""), /too slow and is disconnected.*topic=orders/);
  });

  it("holds no more than 32 MiB for a reader that has stopped (BR-04)", async () => {
    await using broker = new EmbeddedBroker();
    const abort = new AbortController();
    await broker.subscribe("acme", orders, abort.signal);
    for (let number = 0; number < 100; number++) {
      await broker.publish("acme", { topic: "orders", header: {}, body: new Uint8Array(1024 * 1024) }, signal);
    }
    abort.abort();
    assert.equal(broker.dropped, 68);
  });

  it("holds no more than 256 MiB for all subscribers of a namespace, and counts a shared message once (BR-04)", async () => {
    await using broker = new EmbeddedBroker();
    const body = new Uint8Array(1024 * 1024);
    const publish = async (topic: string, count: number) => {
      for (let n = 0; n < count; n++) await broker.publish("acme", { topic, header: {}, body });
    };
    const sharing = await Promise.all(
      Array.from({ length: 20 }, () => broker.subscribe("acme", { ...orders, topic: "shared" }, signal)),
    );
    await publish("shared", 30);
    assert.equal(broker.dropped, 0);
    for (const reader of sharing) await (reader as AsyncGenerator).return(undefined);
    const abort = new AbortController();
    const topics = Array.from({ length: 20 }, (_, n) => `t${n}`);
    for (const topic of topics) await broker.subscribe("acme", { ...orders, topic }, abort.signal);
    const healthy = (await broker.subscribe("acme", { ...orders, topic: ">" }, abort.signal))[Symbol.asyncIterator]();
    for (let round = 0; round < 30; round++) {
      for (const topic of topics) {
        await publish(topic, 1);
        await healthy.next();
      }
    }
    const held = 20 * 30 - broker.dropped;
    assert.ok(held <= 256 && held > 200, `${held} MiB are held`);
    await broker.subscribe("other", { ...orders, topic: "t" }, abort.signal);
    for (let n = 0; n < 30; n++) await broker.publish("other", { topic: "t", header: {}, body });
    assert.equal(20 * 30 - broker.dropped, held);
    abort.abort();
  });

  it("forgets subscribers that come and vanish (BR-05)", async () => {
    await using broker = new EmbeddedBroker();
    for (let round = 0; round < 2_000; round++) {
      const abort = new AbortController();
      const topic = `topic-${round % 10}`;
      await broker.subscribe("acme", { topic, queue: round % 2 === 0 ? "q" : "", whenSlow }, abort.signal);
      await broker.publish("acme", message(round, "p", topic), signal);
      abort.abort();
    }
    assert.equal(broker.subscriptions, 0);
  });
});
