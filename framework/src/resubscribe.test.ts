import { deepEqual, equal, rejects } from "node:assert/strict";
import { describe, it } from "node:test";
import { Broker, brokerMethods, RemoteBroker } from "@microts/blocks/broker";
import { MicroError } from "@microts/core";
import { EmbeddedBroker } from "@microts/driver-embedded";
import { serveMethods, testAdmin } from "@microts/testing";
import { resubscribed } from "./resubscribe.ts";

async function* messages<T>(values: T[], end?: Error): AsyncGenerator<T> {
  yield* values;
  if (end !== undefined) throw end;
}

const news = { topic: "news", queue: "", whenSlow: "drop" } as const;
const lost = MicroError.unavailable("test", "lost the connection");

describe("resubscribed", () => {
  it("goes on with the next subscription after a lost one, however long that takes", async () => {
    const ending = new AbortController();
    const answers = [() => messages([1], lost), () => Promise.reject(lost), () => messages([2, 3])];
    const got: number[] = [];
    for await (const value of resubscribed(async () => (await answers.shift()?.()) ?? messages([]), ending.signal)) {
      got.push(value);
      if (value === 3) ending.abort();
    }
    deepEqual(got, [1, 2, 3]);
    equal(answers.length, 0);
  });

  it("throws when the first subscription fails, and when the server refuses", async () => {
    const refused = MicroError.forbidden("test", "no");
    await rejects(resubscribed(() => Promise.reject(lost), undefined).next(), lost);
    const later = resubscribed(async () => messages([1], refused), undefined);
    await later.next();
    await rejects(later.next(), refused);
  });

  it("takes up a broker's topic again after its server was restarted", async () => {
    const broker = new Broker(new EmbeddedBroker());
    const serve = () => serveMethods("broker", brokerMethods(broker), { account: testAdmin });
    let served = await serve();
    let subscriptions = 0;
    const ending = new AbortController();
    const subscribe = async () => {
      const source = await new RemoteBroker(served.rpc, "micro").subscribe("micro", news, ending.signal);
      subscriptions++;
      return source;
    };
    const reader = resubscribed(subscribe, ending.signal);
    const first = reader.next();
    while (subscriptions === 0) await new Promise((resolve) => setImmediate(resolve));
    await broker.publish("news", "one");
    equal(Buffer.from((await first).value?.body ?? []).toString(), "one");
    const second = reader.next();
    await served[Symbol.asyncDispose]();
    served = await serve();
    while (subscriptions === 1) await new Promise((resolve) => setTimeout(resolve, 10));
    await broker.publish("news", "two");
    equal(Buffer.from((await second).value?.body ?? []).toString(), "two");
    ending.abort();
    await reader.return();
    await served[Symbol.asyncDispose]();
  });
});
