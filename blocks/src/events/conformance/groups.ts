import { deepEqual, equal, ok } from "node:assert/strict";
import { consume, type EventsHarness, type EventsTest, event, numbers, publish, signal, textOf } from "./harness.ts";

/** Where groups begin, what they remember, and how their consumers share. */
export function groupTests(test: EventsTest, { open }: EventsHarness): void {
  test("begins a new group with what comes from now on, live once the promise resolves", async () => {
    await using driver = await open();
    await publish(driver, "t", ["old"]);
    await using named = await consume(driver, { from: "latest" });
    await using own = await consume(driver, { from: "latest", group: "" });
    await publish(driver, "t", ["new"]);
    equal(textOf(await named.next()), "new");
    equal(textOf(await own.next()), "new");
  });

  test("begins a new group with the first event, an offset, or the first event of a time (EV-10)", async () => {
    await using driver = await open();
    for (const second of [100, 200, 300]) {
      await driver.publish("acme", "t", event(String(second), { timestamp: new Date(second * 1000) }), signal);
    }
    await using all = await consume(driver, { group: "all" });
    deepEqual((await all.take(3)).map(textOf), ["100", "200", "300"]);
    await using late = await consume(driver, { group: "late", from: new Date(150_000) });
    deepEqual((await late.take(2)).map(textOf), ["200", "300"]);
    await using third = await consume(driver, { group: "third", from: 2 });
    deepEqual((await third.take(1)).map(textOf), ["300"]);
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

  test("gives every group every event, and each event to one consumer of a group", async () => {
    await using driver = await open();
    const over = new AbortController();
    const few = { maxUnanswered: 2 };
    const readers = [await consume(driver, few, over.signal), await consume(driver, few, over.signal)];
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

  test("gives a long backlog to a group in order", async () => {
    await using driver = await open();
    await publish(driver, "t", numbers(600));
    await using reader = await consume(driver);
    const taken = await reader.take(600);
    deepEqual(
      taken.map(({ event: { offset } }) => offset),
      [...Array(600).keys()],
    );
    deepEqual(new Set(taken.map(textOf)), new Set(numbers(600)));
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

  test("delivers again exactly what a consumer that broke off did not ack, when its wait is over (EV-07)", async () => {
    await using driver = await open();
    await publish(driver, "t", numbers(1000));
    const own = new AbortController();
    const ackWaitMs = 1500;
    const broken = await consume(driver, { ackWaitMs }, own.signal);
    const taken = await broken.take(1000, false);
    const last = performance.now();
    const isKept = (_: unknown, i: number) => i % 10 === 3;
    const kept = taken.filter(isKept).map(textOf);
    await Promise.all(taken.filter((each, i) => !isKept(each, i)).map((each) => each.ack()));
    await driver.publish("acme", "t", event("marker"), signal);
    // The answers have arrived when the next event could be sent.
    equal(textOf(await broken.next()), "marker");
    own.abort();
    await using reader = await consume(driver);
    const again = await reader.take(101);
    ok(performance.now() - last >= ackWaitMs - 5, "it came too early");
    deepEqual(again.map(textOf).toSorted(), [...kept, "marker"].toSorted());
    deepEqual(new Set(again.map(({ attempt }) => attempt)), new Set([2]));
    await publish(driver, "t", ["next"]);
    deepEqual(
      (await reader.take(1)).map((each) => [textOf(each), each.attempt]),
      [["next", 1]],
    );
  });

  test("loses nothing and leaves nothing behind when one of three consumers dies (EV-09)", async () => {
    await using driver = await open();
    const count = 9_000;
    const acked = new Set<string>();
    const shares = [0, 0, 0];
    const over = new AbortController();
    const dies = new AbortController();
    const work = shares.map(async (_, i) => {
      const own = i === 0 ? AbortSignal.any([dies.signal, over.signal]) : over.signal;
      const reader = await consume(driver, { ackWaitMs: 1000, maxUnanswered: 10 }, own);
      for (let delivery = await reader.next(); delivery !== undefined; delivery = await reader.next()) {
        if (i === 0 && acked.size >= count / 2) return dies.abort();
        await delivery.ack();
        acked.add(textOf(delivery));
        if (!dies.signal.aborted) shares[i] = (shares[i] ?? 0) + 1;
        if (acked.size === count) over.abort();
      }
    });
    for (let from = 0; from < count; from += 1_000)
      await publish(driver, "t", numbers(count).slice(from, from + 1_000));
    await Promise.all(work);
    equal(acked.size, count);
    ok(Math.max(...shares) / Math.min(...shares) <= 1.5, `shares ${shares}`);
  });
}
