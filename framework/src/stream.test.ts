import { deepEqual, equal, ok, rejects } from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { type Platform, parseSettings, startPlatform } from "@microts/platform";
import { z } from "zod";
import { keptAddress } from "../../testing/src/kept-address.ts";
import { events, type Stream, stream } from "./index.ts";

const Order = z.object({ id: z.string(), total: z.number(), currency: z.string().default("EUR") });

describe("a stream of a service", { timeout: 280_000 }, () => {
  let home: string;
  let platform: Platform;
  let count = 0;

  before(async () => {
    home = await mkdtemp(join(tmpdir(), "micro-stream-"));
    platform = await start(await keptAddress());
    // Where this process's own framework finds the platform.
    process.env["MICRO_HOME"] = home;
    process.env["MICRO_PROXY"] = platform.addresses.proxy;
  });
  after(async () => {
    await platform?.[Symbol.asyncDispose]();
    await rm(home, { recursive: true, force: true });
  });

  const start = (proxy: string) => {
    const names = ["API", "WEB", "NETWORK"].map((name) => [`MICRO_${name}_ADDRESS`, "127.0.0.1:0"]);
    return startPlatform(parseSettings({ ...Object.fromEntries(names), MICRO_PROXY_ADDRESS: proxy, MICRO_HOME: home }));
  };
  const restart = async () => {
    const { proxy } = platform.addresses;
    await platform[Symbol.asyncDispose]();
    platform = await start(proxy);
  };
  const orders = () => stream(`orders-${++count}`, { schema: Order });
  const letters = async (topic: string, wanted: number) => {
    const dead = stream<unknown>(`${topic}.dead`);
    for (let found = await dead.read(); ; found = await dead.read())
      if (found.length >= wanted)
        return found.map(({ data, metadata }) => ({ data, why: metadata["micro-dead-reason"] ?? "" }));
  };
  const take = async (from: Pick<Stream<unknown, { id: string }>, "consume">, wanted: number) => {
    const ids: string[] = [];
    for await (const { data } of from.consume({ from: "earliest" })) if (ids.push(data.id) === wanted) break;
    return ids;
  };

  it("gives consumers what was published, checked and completed by its schema", async () => {
    const source = orders();
    const published = await source.publish({ id: "a", total: 7 }, { metadata: { by: "jane" }, timestamp: new Date(5) });
    equal(published.offset, 0);
    for await (const event of source.consume({ group: "g", from: "earliest" })) {
      deepEqual(event.data, { id: "a", total: 7, currency: "EUR" });
      deepEqual(
        [event.attempt, event.offset, event.timestamp, { ...event.metadata }],
        [1, 0, new Date(5), { by: "jane" }],
      );
      break;
    }
    deepEqual(
      (await events.read(source.topic)).map(({ data }) => data),
      [{ id: "a", total: 7 }],
    );
  });

  it("refuses what doesn't match the schema, and makes dead letters of what others published", async () => {
    const source = orders();
    // @ts-expect-error: a number is no id
    await rejects(source.publish({ id: 7, total: 1 }), { code: 400, message: /doesn't match its schema: id/ });
    await events.publish(source.topic, { id: 7 });
    await source.publish({ id: "good", total: 1 });
    for await (const { data } of source.consume({ group: "g", from: "earliest" })) {
      equal(data.id, "good");
      break;
    }
    const [letter] = await letters(source.topic, 1);
    deepEqual(letter?.data, { id: 7 });
    ok(letter?.why.includes("doesn't match the schema: id"), letter?.why);
    await rejects(source.read(), { code: 500, message: /event 0 of "orders-\d+" doesn't match the schema: id/ });
    equal((await source.read({ from: 1 }))[0]?.data.id, "good");
  });

  it("appends once what is published twice with one id (EV-06)", async () => {
    const source = orders();
    const order = { id: "a", total: 1 };
    const both = await Promise.all([source.publish(order, { id: "a" }), source.publish(order, { id: "a" })]);
    deepEqual(
      both.map(({ offset }) => offset),
      [0, 0],
    );
    await restart();
    deepEqual(await source.publish(order, { id: "a" }), { id: "a", offset: 0, duplicate: true });
    equal((await source.read()).length, 1);
  });

  it("does the same for a topic by name, and says what is wrong with a name or a position that only the types forbid", async () => {
    const topic = `by-name-${Date.now()}`;
    const first = await events.publish(topic, { total: 7 }, { id: "a", metadata: { by: "jane" } });
    deepEqual([first.offset, first.duplicate], [0, false]);
    equal((await events.publish(topic, { total: 7 }, { id: "a" })).duplicate, true);
    const [read] = await events.read(topic);
    deepEqual([read?.id, read?.metadata["by"]], ["a", "jane"]);
    await rejects(events.read(topic, { from: "yesterday" as never }), {
      code: 400,
      message: /a position is .*"yesterday"/,
    });
    await rejects(events.publish(undefined as never, 1), { code: 400, message: /the topic has to be a text/ });
  });

  it("publishes through a restart of the server, each event once and in order (EV-01)", async () => {
    const source = orders();
    const ids = Array.from({ length: 200 }, (_, i) => String(i));
    const publishing = (async () => {
      for (const id of ids) await source.publish({ id, total: 1 });
    })();
    while ((await source.read({ limit: 1 })).length === 0);
    await restart();
    await publishing;
    deepEqual(await take(source, ids.length), ids);
  });

  it("answers one by one when asked to: acks, nacks and rejects", async () => {
    const source = orders();
    for (const id of ["good", "again", "bad"]) await source.publish({ id, total: 1 });
    const seen: string[] = [];
    for await (const event of source.consume({ group: "g", from: "earliest", autoAck: false })) {
      seen.push(`${event.data.id}/${event.attempt}`);
      if (event.data.id === "bad") await event.reject("not for us");
      else if (event.data.id === "again" && event.attempt < 3) await event.nack();
      else await event.ack();
      if (seen.length === 5) break;
    }
    deepEqual(seen, ["good/1", "again/1", "bad/1", "again/2", "again/3"]);
    deepEqual(
      (await letters(source.topic, 1)).map(({ why }) => why),
      ["not for us"],
    );
  });

  it("takes a nack for the answer, also when the next event is asked for", async () => {
    const source = orders();
    await source.publish({ id: "a", total: 1 });
    const attempts: number[] = [];
    for await (const event of source.consume({ group: "g", from: "earliest" })) {
      attempts.push(event.attempt);
      if (event.attempt === 3) break;
      await event.nack();
    }
    deepEqual(attempts, [1, 2, 3]);
  });

  it("handles several at once, and what the handler fails comes again, then becomes a dead letter (EV-08)", async (t) => {
    const log = t.mock.method(process.stderr, "write", () => true);
    const source = orders();
    for (const id of ["a", "b", "bad", "c"]) await source.publish({ id, total: 1 });
    const ending = new AbortController();
    let most = 0;
    let now = 0;
    const done: string[] = [];
    const options = { group: "g", from: "earliest", concurrency: 3, retryLimit: 1, signal: ending.signal } as const;
    const handling = source.handle(options, async ({ id }) => {
      most = Math.max(most, ++now);
      await new Promise((resolve) => setTimeout(resolve, 20));
      now--;
      if (id === "bad") throw new Error("no stock");
      done.push(id);
    });
    deepEqual(
      (await letters(source.topic, 1)).map(({ why }) => why),
      ["no stock"],
    );
    ending.abort();
    await handling;
    deepEqual([done.toSorted(), most], [["a", "b", "c"], 3]);
    // A handler that fails again and again shows in the service's log, not in the dead letters alone.
    const lines = log.mock.calls
      .map(({ arguments: [line] }) => String(line))
      .filter((line) => line.includes("not handled"));
    deepEqual(
      lines.map((line) => /group=g offset=2 attempt=(\d) error="Error: no stock/.exec(line)?.[1]),
      ["1", "2"],
    );
  });

  it("goes on consuming after a restart of the server, from where the group was", async () => {
    const source = orders();
    for (let i = 0; i < 20; i++) await source.publish({ id: String(i), total: 1 });
    const seen = new Set<string>();
    let restarts = 0;
    for await (const { data } of source.consume({ group: "g", from: "earliest" })) {
      seen.add(data.id);
      if (data.id === "9" && restarts++ === 0) await restart();
      if (data.id === "19") await source.publish({ id: "20", total: 1 });
      if (data.id === "20") break;
    }
    equal(seen.size, 21);
  });

  it("replays a range, moves a group, and keeps what it is told to", async () => {
    const topic = `kept-${++count}`;
    const source = stream<number>(topic, { retention: { maxEvents: 5 } });
    for (let n = 0; n < 10; n++) await source.publish(n);
    const kept = async () => (await Array.fromAsync(source.replay())).map(({ data }) => data);
    await source.seek("g", "latest");
    while ((await kept()).length > 6);
    deepEqual((await kept()).slice(-5), [5, 6, 7, 8, 9]);
    const some = await Array.fromAsync(source.replay({ from: 6, until: 8 }));
    deepEqual(
      some.map(({ offset, data }) => [offset, data]),
      [
        [6, 6],
        [7, 7],
      ],
    );
    equal(await source.seek("g", 8), 8);
    for await (const { data } of source.consume({ group: "g" })) {
      equal(data, 8);
      break;
    }
  });
});
