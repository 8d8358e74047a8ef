import { deepEqual, equal } from "node:assert/strict";
import { describe, it } from "node:test";
import { silent } from "@microts/core";
import { until } from "../../../../testing/src/until.ts";
import { openEmbeddedStore } from "../store.ts";
import { EmbeddedEvents } from "./events.ts";
import { Retention } from "./retention.ts";

const signal = new AbortController().signal;

describe("what has expired", () => {
  it("is taken off a topic's bytes once, by however many sweeps at a time", async () => {
    await using store = await openEmbeddedStore();
    const { database } = store;
    await using events = new EmbeddedEvents({ database });
    const expiresAt = new Date(Date.now() + 60_000);
    const payload = Buffer.alloc(1_000, "x");
    for (const expires of [undefined, expiresAt, expiresAt, undefined, expiresAt]) {
      const event = { id: undefined, timestamp: new Date(), metadata: {}, payload, expiresAt: expires };
      await events.publish("acme", "t", event, signal);
    }
    const later = new Retention(database, silent, () => expiresAt.getTime() + 1);
    await Promise.all(Array.from({ length: 3 }, () => later.sweep(async () => undefined)));
    const sql = "SELECT (SELECT SUM(length(data)) FROM event_chunks), (SELECT bytes FROM topics)";
    const [[stored, counted] = []] = await database.read(sql, [], signal);
    equal(counted, stored);
    const { events: left } = await events.read("acme", "t", { from: 0, until: undefined, limit: 10 }, signal);
    deepEqual(
      left.map(({ offset }) => offset),
      [0, 3],
    );
  });
});

describe("a topic that was only listened to", () => {
  it("is forgotten when the server ended before its consumer did, unless somebody listens again", async () => {
    await using store = await openEmbeddedStore();
    const { database } = store;
    const listen = (events: EmbeddedEvents, topic: string, group: string) => {
      const options = { topic, group, from: "latest", autoAck: true, ackWaitMs: 1000, retryLimit: -1 } as const;
      return events.consume("acme", { ...options, deadLetter: undefined, maxUnanswered: 10 }, signal);
    };
    const topics = async (events: EmbeddedEvents) =>
      (await events.topics("acme", signal)).map(({ topic }) => topic).join();
    {
      await using first = new EmbeddedEvents({ database });
      await Promise.all([listen(first, "again", ""), listen(first, "mistyped", ""), listen(first, "named", "g")]);
    }
    await using second = new EmbeddedEvents({ database, sweepMs: 20 });
    await listen(second, "again", "");
    equal(
      await until(
        () => topics(second),
        (left) => !left.includes("mistyped"),
      ),
      "again,named",
    );
  });
});
