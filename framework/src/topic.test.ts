import { deepEqual, equal, match, rejects } from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { serviceClient } from "@microts/core/rpc";
import { type Platform, parseSettings, startPlatform } from "@microts/platform";
import { Broker } from "@microts/proto/broker";
import { z } from "zod";
import { until } from "../../testing/src/until.ts";
import { connection } from "./connection.ts";
import { broker, type Topic, topic } from "./index.ts";

const Order = z.object({ id: z.number(), currency: z.string().default("EUR") });

describe("a topic of a service", { timeout: 280_000 }, () => {
  let home: string;
  let platform: Platform;
  let count = 0;

  before(async () => {
    home = await mkdtemp(join(tmpdir(), "micro-topic-"));
    const names = ["API", "PROXY", "WEB", "NETWORK"].map((name) => [`MICRO_${name}_ADDRESS`, "127.0.0.1:0"]);
    platform = await startPlatform(parseSettings({ ...Object.fromEntries(names), MICRO_HOME: home }));
    process.env["MICRO_HOME"] = home;
    process.env["MICRO_PROXY"] = platform.addresses.proxy;
  });
  after(async () => {
    await platform?.[Symbol.asyncDispose]();
    await rm(home, { recursive: true, force: true });
  });

  const orders = () => topic(`orders.${++count}`, { schema: Order });
  /** Publishes again and again until `isHeard`: nobody is told when a subscription of the other side is live. */
  const publishUntil = async (publish: () => Promise<void>, isHeard: () => boolean) =>
    until(
      async () => {
        await publish();
        return isHeard();
      },
      (done) => done,
    );

  it("gives subscribers what was published, checked and completed by its schema", async () => {
    const source = orders();
    const heard = source.subscribe().next();
    let isHeard = false;
    void heard.then(() => {
      isHeard = true;
    });
    await publishUntil(
      () => source.publish({ id: 7 }, { "X-By": "jane" }),
      () => isHeard,
    );
    const { value } = await heard;
    deepEqual(value?.data, { id: 7, currency: "EUR" });
    equal(value?.topic, source.topic);
    equal(value?.header["X-By"], "jane");
    // @ts-expect-error: a text is no id
    await rejects(source.publish({ id: "7" }), { code: 400, message: /for "orders\.1" doesn't match its schema: id/ });
  });

  it("leaves out what others published that doesn't match, and says so", async () => {
    const source = orders();
    const errors: string[] = [];
    const got: number[] = [];
    const ending = new AbortController();
    const handling = source.handle({ signal: ending.signal, onError: ({ detail }) => errors.push(detail) }, ({ id }) =>
      got.push(id),
    );
    await publishUntil(
      () => source.publish({ id: 1 }),
      () => got.length > 0,
    );
    await broker.publish(source.topic, { id: "no number" });
    await publishUntil(
      () => source.publish({ id: 2 }),
      () => got.includes(2),
    );
    match(errors.join(), /a message of "orders\.2" doesn't match the schema: id.*left out/);
    ending.abort();
    await handling;
  });

  it("goes on after a handler that throws, and hurts nobody with one that never returns (BR-02)", async () => {
    const source = orders();
    const ending = new AbortController();
    const errors: string[] = [];
    const attempts: number[] = [];
    const got: number[] = [];
    const { signal } = ending;
    const throwing = source.handle({ signal, onError: ({ detail }) => errors.push(detail) }, ({ id }) => {
      attempts.push(id);
      throw new Error(`failed ${id}`);
    });
    void source.handle({ signal }, () => new Promise(() => {}));
    const healthy = source.handle({ signal, concurrency: 4 }, ({ id }) => got.push(id));
    const hears = () => got.length > 0 && attempts.length > 0;
    await publishUntil(() => source.publish({ id: 0 }), hears);
    const ids = Array.from({ length: 200 }, (_, n) => n + 1);
    for (const id of ids) await source.publish({ id });
    await until(
      async () => [got.at(-1), attempts.at(-1)],
      ([one, other]) => one === 200 && other === 200,
    );
    deepEqual(
      got.filter((id) => id > 0),
      ids,
    );
    deepEqual(
      attempts.filter((id) => id > 0),
      ids,
    );
    equal(errors.at(-1), "failed 200");
    ending.abort();
    await Promise.all([throwing, healthy]);
  });

  it("shares its messages within a queue, and is subscribed to by a pattern (BR-03)", async () => {
    const source = orders();
    const ending = new AbortController();
    const got: string[][] = [[], [], []];
    const all: Topic<unknown>[] = [source, source, topic("orders.*")];
    const handling = all.map((each, at) =>
      each.handle({ queue: at < 2 ? "q" : "other", signal: ending.signal }, (data) =>
        got[at]?.push(JSON.stringify(data)),
      ),
    );
    await publishUntil(
      () => source.publish({ id: 0 }),
      () => got.every((texts) => texts.length > 0),
    );
    for (const texts of got) texts.length = 0;
    for (let id = 1; id <= 100; id++) await source.publish({ id });
    await until(
      async () => got.map(({ length }) => length),
      ([a = 0, b = 0, c]) => a + b >= 100 && c === 100,
    );
    equal(new Set([...(got[0] ?? []), ...(got[1] ?? [])]).size, 100);
    ending.abort();
    await Promise.all(handling);
  });

  it("gives a plain subscriber the text of what isn't JSON", async () => {
    const messages = broker.subscribe("plain");
    const heard = messages.next();
    let isHeard = false;
    void heard.then(() => {
      isHeard = true;
    });
    await publishUntil(
      async () => {
        const client = serviceClient(Broker, connection().rpc, "broker");
        await client.publish({ topic: "plain", message: { body: Buffer.from("{no json") } });
      },
      () => isHeard,
    );
    const { value } = await heard;
    deepEqual([value?.data, value?.isJson, Buffer.from(value?.body ?? []).toString()], ["{no json", false, "{no json"]);
    await messages.return();
  });
});
