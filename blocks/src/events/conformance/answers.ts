import { deepEqual, equal, ok } from "node:assert/strict";
import type { Delivery, EventsDriver } from "../driver.ts";
import {
  consume,
  type EventsHarness,
  type EventsTest,
  eventually,
  numbers,
  publish,
  type Reader,
  read,
  textOf,
} from "./harness.ts";

/** Takes so many, answers each, and says which came at which attempt. */
async function answered(
  reader: Reader,
  count: number,
  answer: (delivery: Delivery) => Promise<void>,
): Promise<string[]> {
  const texts: string[] = [];
  while (texts.length < count) {
    const delivery = await reader.next();
    if (delivery === undefined) break;
    texts.push(`${textOf(delivery)}/${delivery.attempt}`);
    await answer(delivery);
  }
  return texts;
}

async function letters(driver: EventsDriver, count: number): Promise<Record<string, string>[]> {
  const found = await eventually(
    () => read(driver, "t.dead"),
    ({ length }) => length >= count,
  );
  return found.map((letter) => ({ text: textOf(letter), ...letter.metadata }));
}

/** Acks, nacks, waits and dead letters. */
export function answerTests(test: EventsTest, { open }: EventsHarness): void {
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

  test("waits longer for an answer when asked to", async () => {
    await using driver = await open();
    await publish(driver, "t", ["slow"]);
    await using reader = await consume(driver, { ackWaitMs: 1000, maxUnanswered: 1 });
    const delivery = await reader.next();
    for (let i = 0; i < 5; i++) {
      await new Promise((resolve) => setTimeout(resolve, 250));
      await delivery?.extend();
    }
    await delivery?.ack();
    await publish(driver, "t", ["next"]);
    deepEqual(await answered(reader, 1, (each) => each.ack()), ["next/1"]);
  });

  test("delivers events again that were nacked, and the others meanwhile (EV-08)", async () => {
    await using driver = await open();
    await publish(driver, "t", numbers(100));
    await using reader = await consume(driver, { maxUnanswered: 200 });
    const isBad = (delivery: Delivery) => Number(textOf(delivery)) % 10 === 1;
    const start = performance.now();
    const seen = await answered(reader, 120, (each) => (isBad(each) && each.attempt < 3 ? each.nack() : each.ack()));
    deepEqual(
      seen.filter((each) => each.endsWith("/1")).map((each) => each.slice(0, -2)),
      numbers(100),
    );
    const again = numbers(10).map((i) => `${i === "0" ? "" : i}1`);
    for (const attempt of [2, 3])
      deepEqual(
        seen.filter((each) => each.endsWith(`/${attempt}`)).toSorted(),
        again.map((each) => `${each}/${attempt}`).toSorted(),
      );
    ok(performance.now() - start >= 290, "the second try waits 100 ms, the third 200 ms more");
  });

  test("moves an event to the dead-letter topic after its last retry, with the reason (EV-08)", async () => {
    await using driver = await open();
    await publish(driver, "t", ["bad", "good"]);
    await using reader = await consume(driver, { retryLimit: 1 });
    const seen = await answered(reader, 3, (each) => (textOf(each) === "bad" ? each.nack("no stock") : each.ack()));
    deepEqual(seen, ["bad/1", "good/1", "bad/2"]);
    const [event] = await read(driver, "t");
    deepEqual(await letters(driver, 1), [
      {
        text: "bad",
        "micro-dead-topic": "t",
        "micro-dead-group": "g",
        "micro-dead-offset": "0",
        "micro-dead-attempts": "2",
        "micro-dead-reason": "no stock",
        "micro-dead-id": event?.id ?? "",
      },
    ]);
    await publish(driver, "t", ["next"]);
    deepEqual(await answered(reader, 1, (each) => each.ack()), ["next/1"]);
  });

  test("moves an event to the dead-letter topic that nobody answered", async () => {
    await using driver = await open();
    await publish(driver, "t", ["silent"]);
    await using reader = await consume(driver, { retryLimit: 0, ackWaitMs: 60 });
    await reader.next();
    const [letter] = await letters(driver, 1);
    equal(letter?.["micro-dead-reason"], "not answered within 60 ms");
  });

  test("moves a rejected event to the dead-letter topic at once", async () => {
    await using driver = await open();
    await publish(driver, "t", ["bad", "good"]);
    await using reader = await consume(driver);
    const seen = await answered(reader, 2, (each) =>
      textOf(each) === "bad" ? each.reject("not an order") : each.ack(),
    );
    deepEqual(seen, ["bad/1", "good/1"]);
    const [letter] = await letters(driver, 1);
    deepEqual([letter?.["text"], letter?.["micro-dead-reason"]], ["bad", "not an order"]);
  });

  test("drops an event after its last retry when there is no dead-letter topic", async () => {
    await using driver = await open();
    await publish(driver, "t", ["bad", "good"]);
    await using reader = await consume(driver, { retryLimit: 0, deadLetter: undefined });
    const seen = await answered(reader, 2, (each) => (textOf(each) === "bad" ? each.nack() : each.ack()));
    deepEqual(seen, ["bad/1", "good/1"]);
    await publish(driver, "t", ["next"]);
    deepEqual(await answered(reader, 1, (each) => each.ack()), ["next/1"]);
    deepEqual(await read(driver, "t.dead"), []);
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

  test("gives a consumer no more than it may have unanswered, and the rest once it answers", async () => {
    await using driver = await open();
    await publish(driver, "t", numbers(10));
    await using reader = await consume(driver, { maxUnanswered: 4 });
    const held = await reader.take(4, false);
    let came = false;
    const fifth = reader.next().then((delivery) => {
      came = true;
      return delivery;
    });
    await read(driver, "t");
    equal(came, false);
    await held[2]?.ack();
    equal(textOf(await fifth), "4");
  });

  test("takes a second answer without effect", async () => {
    await using driver = await open();
    await publish(driver, "t", ["x", "y"]);
    await using reader = await consume(driver);
    const delivery = await reader.next();
    await delivery?.ack();
    await delivery?.ack();
    await delivery?.nack();
    const other = await reader.next();
    equal(textOf(other), "y");
    await other?.nack();
    await other?.ack();
    deepEqual(await answered(reader, 1, (each) => each.ack()), ["y/2"]);
  });
}
