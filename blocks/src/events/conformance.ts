import { deepEqual, equal, ok } from "node:assert/strict";
import type { ConsumeOptions, Delivery, EventsDriver, NewEvent } from "./driver.ts";

type Test = (name: string, run: () => Promise<void>) => unknown;

export interface EventsHarness {
  /** An empty driver of its own, for the namespace `acme`. */
  open(): Promise<EventsDriver>;
}

const signal = new AbortController().signal;
const enc = new TextEncoder();
const dec = new TextDecoder();

function event(text: string, more: Partial<NewEvent> = {}): NewEvent {
  return {
    timestamp: new Date(1_700_000_000_000),
    metadata: {},
    payload: enc.encode(text),
    expiresAt: undefined,
    ...more,
  };
}

function options(more: Partial<ConsumeOptions> = {}): ConsumeOptions {
  return { topic: "t", group: "g", from: "earliest", autoAck: false, ackWaitMs: 30_000, retryLimit: -1, ...more };
}

async function publish(driver: EventsDriver, topic: string, texts: readonly string[]): Promise<void> {
  await Promise.all(texts.map((text) => driver.publish("acme", topic, event(text), signal)));
}

function numbers(count: number, prefix = ""): string[] {
  return Array.from({ length: count }, (_, i) => `${prefix}${i}`);
}

function textOf(delivery: Delivery | undefined): string {
  return delivery === undefined ? "" : dec.decode(delivery.event.payload);
}

/** Takes one by one; `next` waits at most five seconds. */
class Reader implements AsyncDisposable {
  readonly #iterator: AsyncIterator<Delivery>;

  constructor(deliveries: AsyncIterable<Delivery>) {
    this.#iterator = deliveries[Symbol.asyncIterator]();
  }

  async next(withinMs = 5000): Promise<Delivery | undefined> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`no event within ${withinMs} ms`)), withinMs);
    });
    try {
      const { value, done } = await Promise.race([this.#iterator.next(), late]);
      return done ? undefined : value;
    } finally {
      clearTimeout(timer);
    }
  }

  async take(count: number, ack = true): Promise<Delivery[]> {
    const taken: Delivery[] = [];
    while (taken.length < count) {
      const delivery = await this.next();
      if (delivery === undefined) break;
      if (ack) await delivery.ack();
      taken.push(delivery);
    }
    return taken;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#iterator.return?.();
  }
}

async function consume(
  driver: EventsDriver,
  more: Partial<ConsumeOptions> = {},
  own: AbortSignal = signal,
): Promise<Reader> {
  return new Reader(await driver.consume("acme", options(more), own));
}

/** What every events driver promises; one test for each sentence of `driver.ts`. */
export function eventsConformance(test: Test, harness: EventsHarness): void {
  logTests(test, harness);
  startTests(test, harness);
  groupTests(test, harness);
  answerTests(test, harness);
}

function logTests(test: Test, { open }: EventsHarness): void {
  test("keeps events in order with dense offsets, as they were published", async () => {
    await using driver = await open();
    const timestamp = new Date("2024-02-03T04:05:06Z");
    await driver.publish("acme", "t", event("first", { timestamp, metadata: { k: "v" } }), signal);
    await publish(driver, "t", ["second", ""]);
    const events = await driver.read("acme", "t", 10, 0, signal);
    deepEqual(
      events.map(({ offset, payload, topic }) => [offset, dec.decode(payload), topic]),
      [
        [0, "first", "t"],
        [1, "second", "t"],
        [2, "", "t"],
      ],
    );
    deepEqual(events[0]?.timestamp, timestamp);
    equal(events[0]?.metadata["k"], "v");
    equal(new Set(events.map(({ id }) => id)).size, 3);
  });

  test("keeps each publisher's order when many publish at once (EV-01)", async () => {
    await using driver = await open();
    await Promise.all(
      numbers(8).map(async (who) => {
        for (const text of numbers(25, `${who}-`)) await driver.publish("acme", "t", event(text), signal);
      }),
    );
    const events = await driver.read("acme", "t", 1000, 0, signal);
    deepEqual(
      events.map(({ offset }) => offset),
      [...Array(200).keys()],
    );
    const texts = events.map(({ payload }) => dec.decode(payload));
    for (const who of numbers(8))
      deepEqual(
        texts.filter((text) => text.startsWith(`${who}-`)),
        numbers(25, `${who}-`),
      );
  });

  test("reads from an offset, up to a limit", async () => {
    await using driver = await open();
    await publish(driver, "t", numbers(10));
    const read = async (limit: number, offset: number) =>
      (await driver.read("acme", "t", limit, offset, signal)).map(({ payload }) => dec.decode(payload));
    deepEqual(await read(3, 4), ["4", "5", "6"]);
    deepEqual(await read(100, 8), ["8", "9"]);
    deepEqual(await read(100, 10), []);
    deepEqual(await driver.read("acme", "none", 10, 0, signal), []);
  });

  test("reads exactly one topic of one namespace (EV-10)", async () => {
    await using driver = await open();
    for (const topic of ["a", "a/b", "A", "a%", "ab"]) await publish(driver, topic, [topic]);
    for (const topic of ["a", "a/b", "A", "a%", "ab"]) {
      deepEqual(
        (await driver.read("acme", topic, 10, 0, signal)).map(({ payload }) => dec.decode(payload)),
        [topic],
      );
    }
  });

  test("forgets an event that has expired, and delivers the others", async () => {
    await using driver = await open();
    await driver.publish("acme", "t", event("short", { expiresAt: new Date(Date.now() + 1000) }), signal);
    await publish(driver, "t", ["long"]);
    equal((await driver.read("acme", "t", 10, 0, signal)).length, 2);
    while ((await driver.read("acme", "t", 10, 0, signal)).length > 1)
      await new Promise((resolve) => setTimeout(resolve, 50));
    await using reader = await consume(driver);
    equal(textOf(await reader.next()), "long");
  });
}

function startTests(test: Test, { open }: EventsHarness): void {
  test("begins a new group with what comes from now on, live once the promise resolves", async () => {
    await using driver = await open();
    await publish(driver, "t", ["old"]);
    await using named = await consume(driver, { from: "latest" });
    await using own = await consume(driver, { from: "latest", group: "" });
    await publish(driver, "t", ["new"]);
    equal(textOf(await named.next()), "new");
    equal(textOf(await own.next()), "new");
  });

  test("begins a new group with the first event, or the first of a time", async () => {
    await using driver = await open();
    for (const second of [100, 200, 300]) {
      await driver.publish("acme", "t", event(String(second), { timestamp: new Date(second * 1000) }), signal);
    }
    await using all = await consume(driver, { group: "all" });
    deepEqual((await all.take(3)).map(textOf), ["100", "200", "300"]);
    await using late = await consume(driver, { group: "late", from: new Date(150_000) });
    deepEqual((await late.take(2)).map(textOf), ["200", "300"]);
    await using none = await consume(driver, { group: "none", from: new Date(400_000) });
    await publish(driver, "t", ["new"]);
    equal(textOf(await none.next()), "new");
  });

  test("lets a group go on from its position, wherever a consumer says to begin", async () => {
    await using driver = await open();
    await publish(driver, "t", numbers(5));
    {
      await using reader = await consume(driver);
      deepEqual((await reader.take(2)).map(textOf), ["0", "1"]);
    }
    {
      await using reader = await consume(driver, { from: "latest" });
      deepEqual((await reader.take(3)).map(textOf), ["2", "3", "4"]);
    }
    await publish(driver, "t", ["5"]);
    await using reader = await consume(driver);
    deepEqual((await reader.take(1)).map(textOf), ["5"]);
  });

  test("forgets the group of a consumer without one", async () => {
    await using driver = await open();
    await publish(driver, "t", numbers(2));
    for (let round = 0; round < 2; round++) {
      await using reader = await consume(driver, { group: "" });
      deepEqual((await reader.take(2)).map(textOf), ["0", "1"]);
    }
  });
}

function groupTests(test: Test, { open }: EventsHarness): void {
  test("gives every group every event, and each event to one consumer of a group", async () => {
    await using driver = await open();
    const over = new AbortController();
    const readers = [await consume(driver, {}, over.signal), await consume(driver, {}, over.signal)];
    await using other = await consume(driver, { group: "other" });
    const counts = [0, 0];
    const seen = new Set<string>();
    const work = readers.map(async (reader, i) => {
      for (let delivery = await reader.next(); delivery !== undefined; delivery = await reader.next()) {
        ok(!seen.has(textOf(delivery)), `${textOf(delivery)} came twice`);
        seen.add(textOf(delivery));
        counts[i] = (counts[i] ?? 0) + 1;
        await delivery.ack();
        if (seen.size === 100) over.abort();
      }
    });
    await publish(driver, "t", numbers(100));
    deepEqual((await other.take(100)).map(textOf), numbers(100));
    await Promise.all(work);
    equal(seen.size, 100);
    ok(Math.max(...counts) / Math.min(...counts) <= 1.5, `spread ${counts}`);
  });

  test("ends when the signal aborts", async () => {
    await using driver = await open();
    const own = new AbortController();
    const reader = await consume(driver, {}, own.signal);
    const waiting = reader.next();
    own.abort();
    equal(await waiting, undefined);
    equal(await reader.next(), undefined);
  });

  test("hands on at once what a consumer that leaves did not ack", async () => {
    await using driver = await open();
    await publish(driver, "t", numbers(3));
    {
      await using reader = await consume(driver);
      const taken = await reader.take(3, false);
      await taken[1]?.ack();
    }
    await using reader = await consume(driver);
    const taken = await reader.take(2);
    deepEqual(taken.map(textOf), ["0", "2"]);
    deepEqual(
      taken.map(({ attempt }) => attempt),
      [2, 2],
    );
  });

  test("hands on what a consumer that broke off did not ack, when its wait is over (EV-07)", async () => {
    await using driver = await open();
    await publish(driver, "t", numbers(3));
    const own = new AbortController();
    const ackWaitMs = 300;
    const broken = await consume(driver, { ackWaitMs }, own.signal);
    const start = performance.now();
    await broken.take(3, false);
    own.abort();
    await using reader = await consume(driver);
    const taken = await reader.take(3);
    ok(performance.now() - start >= ackWaitMs - 5, "it came too early");
    deepEqual(
      taken.map(({ attempt }) => attempt),
      [2, 2, 2],
    );
  });
}

function answerTests(test: Test, { open }: EventsHarness): void {
  test("delivers an event again that was not answered in time", async () => {
    await using driver = await open();
    await publish(driver, "t", ["x"]);
    await using reader = await consume(driver, { ackWaitMs: 50 });
    deepEqual([(await reader.next())?.attempt, (await reader.next())?.attempt], [1, 2]);
    const third = await reader.next();
    await third?.ack();
    await publish(driver, "t", ["y"]);
    equal(textOf(await reader.next()), "y");
  });

  test("delivers an event again that was nacked, and the others meanwhile (EV-08)", async () => {
    await using driver = await open();
    await publish(driver, "t", numbers(4));
    await using reader = await consume(driver);
    const texts: string[] = [];
    while (texts.length < 5) {
      const delivery = await reader.next();
      texts.push(`${textOf(delivery)}/${delivery?.attempt}`);
      await (textOf(delivery) === "1" && delivery?.attempt === 1 ? delivery.nack() : delivery?.ack());
    }
    deepEqual(texts, ["0/1", "1/1", "2/1", "3/1", "1/2"]);
  });

  test("drops an event after its last retry", async () => {
    await using driver = await open();
    await publish(driver, "t", ["bad", "good"]);
    await using reader = await consume(driver, { retryLimit: 1 });
    const texts: string[] = [];
    while (texts.length < 3) {
      const delivery = await reader.next();
      texts.push(`${textOf(delivery)}/${delivery?.attempt}`);
      await (textOf(delivery) === "bad" ? delivery?.nack() : delivery?.ack());
    }
    deepEqual(texts, ["bad/1", "good/1", "bad/2"]);
    await publish(driver, "t", ["next"]);
    equal(textOf(await reader.next()), "next");
  });

  test("counts an event as handled when the next is asked for, with autoAck", async () => {
    await using driver = await open();
    await publish(driver, "t", numbers(3));
    {
      await using reader = await consume(driver, { autoAck: true });
      deepEqual((await reader.take(2, false)).map(textOf), ["0", "1"]);
    }
    await using reader = await consume(driver, { autoAck: true });
    deepEqual((await reader.take(2, false)).map(textOf), ["1", "2"]);
  });

  test("takes a second answer without effect", async () => {
    await using driver = await open();
    await publish(driver, "t", ["x", "y"]);
    await using reader = await consume(driver);
    const delivery = await reader.next();
    await delivery?.ack();
    await delivery?.ack();
    await delivery?.nack();
    equal(textOf(await reader.next()), "y");
  });
}
