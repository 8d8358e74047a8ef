import { deepEqual, equal, ok } from "node:assert/strict";
import {
  type EventsHarness,
  type EventsTest,
  event,
  eventually,
  numbers,
  publish,
  read,
  signal,
  textOf,
} from "./harness.ts";

const at = (second: number) => ({ timestamp: new Date(second * 1000) });

/** Publishing, ids and reading. */
export function logTests(test: EventsTest, { open }: EventsHarness): void {
  test("keeps events in order with dense offsets, as they were published", async () => {
    await using driver = await open();
    const timestamp = new Date("2024-02-03T04:05:06.789Z");
    const metadata = { k: "v", ü: "ä\n", "": "empty name" };
    await driver.publish("acme", "t", event("first", { timestamp, metadata }), signal);
    await publish(driver, "t", ["second", ""]);
    const events = await read(driver, "t");
    deepEqual(
      events.map((each) => [each.offset, textOf(each), each.topic]),
      [
        [0, "first", "t"],
        [1, "second", "t"],
        [2, "", "t"],
      ],
    );
    deepEqual(events[0]?.timestamp, timestamp);
    deepEqual({ ...events[0]?.metadata }, metadata);
    deepEqual(events[1]?.metadata, {});
    equal(new Set(events.map(({ id }) => id)).size, 3);
  });

  test("tells publishers the id and the offset of their event", async () => {
    await using driver = await open();
    const published = await Promise.all(numbers(5).map((text) => driver.publish("acme", "t", event(text), signal)));
    const events = await read(driver, "t");
    deepEqual(
      published,
      events.map(({ id, offset }) => ({ id, offset, duplicate: false })),
    );
    deepEqual(events.map(textOf), numbers(5));
  });

  test("keeps each publisher's order when many publish at once (EV-01)", async () => {
    await using driver = await open();
    await Promise.all(
      numbers(8).map(async (who) => {
        for (const text of numbers(25, `${who}-`)) await driver.publish("acme", "t", event(text), signal);
      }),
    );
    const events = await read(driver, "t");
    deepEqual(
      events.map(({ offset }) => offset),
      [...Array(200).keys()],
    );
    const texts = events.map(textOf);
    for (const who of numbers(8))
      deepEqual(
        texts.filter((text) => text.startsWith(`${who}-`)),
        numbers(25, `${who}-`),
      );
  });

  test("appends nothing for an id that was published before, and gives its offset again (EV-06)", async () => {
    await using driver = await open();
    await publish(driver, "t", ["other"]);
    const once = (text: string) => driver.publish("acme", "t", event(text, { id: "order-7" }), signal);
    const all = [await once("first"), ...(await Promise.all(numbers(100).map(once)))];
    deepEqual(new Set(all.map(({ id, offset }) => `${id} ${offset}`)), new Set(["order-7 1"]));
    equal(all.filter(({ duplicate }) => !duplicate).length, 1);
    deepEqual((await read(driver, "t")).map(textOf), ["other", "first"]);
    equal((await driver.publish("acme", "u", event("x", { id: "order-7" }), signal)).offset, 0);
  });

  test("stores one event when an id is published many times at once (EV-06)", async () => {
    await using driver = await open();
    const all = await Promise.all(
      numbers(100).map((text) => driver.publish("acme", "t", event(text, { id: "same" }), signal)),
    );
    deepEqual(new Set(all.map(({ offset }) => offset)), new Set([0]));
    equal(all.filter(({ duplicate }) => !duplicate).length, 1);
    equal((await read(driver, "t")).length, 1);
  });

  test("reads a range of offsets, up to a limit (EV-10)", async () => {
    await using driver = await open();
    await publish(driver, "t", numbers(10));
    const texts = async (range: Parameters<typeof read>[2]) => (await read(driver, "t", range)).map(textOf);
    deepEqual(await texts({ from: 4, limit: 3 }), ["4", "5", "6"]);
    deepEqual(await texts({ from: 8 }), ["8", "9"]);
    deepEqual(await texts({ from: 3, until: 5 }), ["3", "4"]);
    deepEqual(await texts({ from: 5, until: 5 }), []);
    deepEqual(await texts({ from: 7, until: 5 }), []);
    deepEqual(await texts({ from: 10 }), []);
    deepEqual(await texts({ from: "latest" }), []);
    deepEqual(await texts({ until: "latest" }), numbers(10));
    deepEqual(await read(driver, "none"), []);
    const page = await driver.read("acme", "t", { from: 2, until: undefined, limit: 3 }, signal);
    deepEqual([page.next, page.first, page.end, page.damaged], [5, 0, 10, []]);
  });

  test("reads from and until a time, whatever order the times have (EV-10)", async () => {
    await using driver = await open();
    for (const second of [100, 300, 200, 400])
      await driver.publish("acme", "t", event(`${second}`, at(second)), signal);
    const texts = async (range: Parameters<typeof read>[2]) => (await read(driver, "t", range)).map(textOf);
    deepEqual(await texts({ from: new Date(100_000) }), ["100", "300", "200", "400"]);
    deepEqual(await texts({ from: new Date(100_001) }), ["300", "200", "400"]);
    deepEqual(await texts({ from: new Date(350_000) }), ["400"]);
    deepEqual(await texts({ from: new Date(400_001) }), []);
    deepEqual(await texts({ until: new Date(400_000) }), ["100", "300", "200"]);
  });

  test("reads exactly one topic of one namespace (EV-10)", async () => {
    await using driver = await open();
    const topics = ["a", "a/b", "A", "a%", "ab", "__proto__"];
    for (const topic of topics) await publish(driver, topic, [topic]);
    for (const topic of topics) deepEqual((await read(driver, topic)).map(textOf), [topic]);
  });

  test("gives large events in pages, each of at least one", async () => {
    await using driver = await open();
    const payload = new Uint8Array(3 * 1024 * 1024).fill(7);
    for (let i = 0; i < 3; i++) await driver.publish("acme", "t", event("", { payload }), signal);
    const offsets: number[] = [];
    for (let from = 0; from < 3; ) {
      const page = await driver.read("acme", "t", { from, until: undefined, limit: 100 }, signal);
      ok(page.events.length > 0 && page.next > from);
      for (const { offset, payload: bytes } of page.events) {
        offsets.push(offset);
        equal(Buffer.compare(bytes, payload), 0);
      }
      from = page.next;
    }
    deepEqual(offsets, [0, 1, 2]);
  });

  test("forgets an event that has expired, and keeps the offsets of the others", async () => {
    await using driver = await open();
    await publish(driver, "t", ["a"]);
    await driver.publish("acme", "t", event("short", { expiresAt: new Date(Date.now() + 1500) }), signal);
    await publish(driver, "t", ["b"]);
    equal((await read(driver, "t")).length, 3);
    const left = await eventually(
      () => read(driver, "t"),
      ({ length }) => length < 3,
    );
    deepEqual(
      left.map((each) => [each.offset, textOf(each)]),
      [
        [0, "a"],
        [2, "b"],
      ],
    );
  });
}
