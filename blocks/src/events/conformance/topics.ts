import { deepEqual, equal, ok, rejects } from "node:assert/strict";
import {
  consume,
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

/** What is said of topics and groups, and what topics keep. */
export function topicTests(test: EventsTest, { open }: EventsHarness): void {
  test("lists the topics of a namespace, with where they begin and end", async () => {
    await using driver = await open();
    deepEqual(await driver.topics("acme", signal), []);
    await publish(driver, "b", numbers(3));
    await publish(driver, "a", numbers(1));
    const topics = await driver.topics("acme", signal);
    deepEqual(
      topics.map(({ topic, first, end }) => [topic, first, end]),
      [
        ["a", 0, 1],
        ["b", 0, 3],
      ],
    );
    ok(topics.every(({ bytes }) => bytes > 0));
  });

  test("keeps the newest events when a topic has a limit of events, and the offsets go on", async () => {
    await using driver = await open();
    await publish(driver, "t", numbers(50));
    await driver.configure("acme", "t", { maxEvents: 20 }, signal);
    const kept = await eventually(
      () => read(driver, "t"),
      ({ length }) => length <= 20,
    );
    deepEqual(kept.map(textOf), numbers(50).slice(30));
    await publish(driver, "t", ["next"]);
    equal((await read(driver, "t", { from: 50 })).map(textOf).join(), "next");
    const [info] = await driver.topics("acme", signal);
    deepEqual([info?.settings.maxEvents, info?.settings.maxBytes], [20, undefined]);
    const page = await driver.read("acme", "t", { from: 3, until: undefined, limit: 1 }, signal);
    ok(page.first >= 30, `the first is ${page.first}`);
    deepEqual([page.events[0]?.offset, page.damaged], [page.first, []]);
  });

  test("deletes the oldest events when a topic has more bytes than it may", async () => {
    await using driver = await open();
    const payload = new Uint8Array(100_000);
    for (let i = 0; i < 10; i++) await driver.publish("acme", "t", event("", { payload }), signal);
    await driver.configure("acme", "t", { maxBytes: 350_000 }, signal);
    await eventually(
      async () => (await driver.topics("acme", signal))[0],
      (info) => (info?.bytes ?? 0) <= 350_000,
    );
    deepEqual(
      (await read(driver, "t")).map(({ offset }) => offset),
      [7, 8, 9],
    );
  });

  test("deletes events that are older than a topic keeps them", async () => {
    await using driver = await open();
    await publish(driver, "t", numbers(5));
    await driver.configure("acme", "t", { maxAgeMs: 200 }, signal);
    await eventually(
      () => read(driver, "t"),
      ({ length }) => length === 0,
    );
    await driver.configure("acme", "t", {}, signal);
    await publish(driver, "t", ["next"]);
    deepEqual(
      (await read(driver, "t")).map((each) => [each.offset, textOf(each)]),
      [[5, "next"]],
    );
  });

  test("gets groups past what was deleted", async () => {
    await using driver = await open();
    await publish(driver, "t", numbers(30));
    await using reader = await consume(driver);
    deepEqual((await reader.take(1)).map(textOf), ["0"]);
    await driver.configure("acme", "t", { maxEvents: 5 }, signal);
    await publish(driver, "t", ["next"]);
    await using other = await consume(driver, { group: "other" });
    ok((await other.take(1)).every(({ event: { offset } }) => offset >= 25));
    await eventually(
      async () => textOf((await reader.take(1))[0]),
      (text) => text === "next",
    );
  });

  test("says how far groups are behind", async () => {
    await using driver = await open();
    await publish(driver, "t", numbers(10));
    deepEqual(await driver.groups("acme", "t", signal), []);
    deepEqual(await driver.groups("acme", "none", signal), []);
    await using reader = await consume(driver, { group: "b" });
    await using _ = await consume(driver, { group: "" });
    const taken = await reader.take(4, false);
    await taken[0]?.ack();
    await taken[2]?.ack();
    const about = async () =>
      (await driver.groups("acme", "t", signal)).map(({ usedAt, unanswered, ...group }) => {
        ok(Math.abs(usedAt.getTime() - Date.now()) < 60_000 && unanswered >= 2);
        return group;
      });
    const behind = [{ group: "b", position: 1, lag: 8, consumers: 1 }];
    deepEqual(await eventually(about, ([group]) => group?.lag === 8), behind);
    await driver.seek("acme", "t", "a", "latest", signal);
    deepEqual(
      (await driver.groups("acme", "t", signal)).map(({ group, position, lag }) => [group, position, lag]),
      [
        ["a", 10, 0],
        ["b", 1, 8],
      ],
    );
  });

  test("moves a group back and forth, and takes no answers from before", async () => {
    await using driver = await open();
    await publish(driver, "t", numbers(9));
    await using reader = await consume(driver, { maxUnanswered: 3 });
    const before = await reader.take(3, false);
    equal(await driver.seek("acme", "t", "g", 7, signal), 7);
    deepEqual((await reader.take(2)).map(textOf), ["7", "8"]);
    equal(await driver.seek("acme", "t", "g", "earliest", signal), 0);
    for (const delivery of before) await delivery.ack();
    const again = await reader.take(4);
    deepEqual(
      again.map((each) => [textOf(each), each.attempt]),
      [
        ["0", 1],
        ["1", 1],
        ["2", 1],
        ["3", 1],
      ],
    );
    equal(await driver.seek("acme", "t", "g", new Date(Date.now() + 60_000), signal), 9);
  });

  test("deletes a topic with all it has, for good, and tells its consumers", async () => {
    await using driver = await open();
    const gone = { code: 404, detail: /"t" was deleted/ };
    for (const each of ["t", "t.dead", "u"]) await publish(driver, each, numbers(3));
    await driver.publish("acme", "t", event("x", { id: "once" }), signal);
    await driver.configure("acme", "t", { maxEvents: 100 }, signal);
    await using reader = await consume(driver);
    await using waiting = await consume(driver, { group: "" });
    const [held] = await reader.take(1, false);
    await waiting.take(4);
    const waits = rejects(waiting.next(), gone);
    await driver.deleteTopic("acme", "t", signal);
    await waits;
    await held?.ack();
    await rejects(async () => {
      while ((await reader.next()) !== undefined);
    }, gone);
    const topics = await driver.topics("acme", signal);
    deepEqual(
      topics.map(({ topic, end }) => [topic, end]),
      [
        ["t.dead", 3],
        ["u", 3],
      ],
    );
    deepEqual([await read(driver, "t"), await driver.groups("acme", "t", signal)], [[], []]);
    await rejects(driver.deleteTopic("acme", "t", signal), { code: 404, detail: /"t"/ });
    await rejects(driver.deleteTopic("acme", "none", signal), { code: 404 });
    const { offset, duplicate } = await driver.publish("acme", "t", event("anew", { id: "once" }), signal);
    deepEqual([offset, duplicate], [0, false]);
    await using again = await consume(driver);
    deepEqual((await again.take(1)).map(textOf), ["anew"]);
    deepEqual((await driver.topics("acme", signal))[0]?.settings.maxEvents, undefined);
  });

  test("deletes a group with its position, and tells its consumers", async () => {
    await using driver = await open();
    await publish(driver, "t", numbers(4));
    await using other = await consume(driver, { group: "other" });
    await using reader = await consume(driver);
    await reader.take(4);
    const waits = rejects(reader.next(), { code: 404, detail: /the group "g" of the topic "t" was deleted/ });
    await driver.deleteGroup("acme", "t", "g", signal);
    await waits;
    deepEqual(
      (await driver.groups("acme", "t", signal)).map(({ group }) => group),
      ["other"],
    );
    await rejects(driver.deleteGroup("acme", "t", "g", signal), { code: 404, detail: /"g"/ });
    await rejects(driver.deleteGroup("acme", "none", "g", signal), { code: 404 });
    equal((await other.take(4)).length, 4);
    await using again = await consume(driver);
    deepEqual((await again.take(1)).map(textOf), ["0"]);
  });

  test("forgets a topic that was only listened to, and keeps one that a group has a position in", async () => {
    await using driver = await open();
    const names = async () => (await driver.topics("acme", signal)).map(({ topic }) => topic);
    const over = new AbortController();
    await consume(driver, { group: "", from: "latest" }, over.signal);
    await consume(driver, { topic: "early", from: "latest" }, over.signal);
    deepEqual(await names(), ["early", "t"]);
    over.abort();
    await eventually(names, (left) => left.join() === "early");
    await using first = await consume(driver, { group: "", from: "latest" });
    await publish(driver, "t", ["first"]);
    deepEqual((await first.take(1)).map(textOf), ["first"]);
    await publish(driver, "early", ["meanwhile"]);
    await using late = await consume(driver, { topic: "early", from: "latest" });
    deepEqual((await late.take(1)).map(textOf), ["meanwhile"]);
  });
}
