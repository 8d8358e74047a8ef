import { deepEqual, equal, ok } from "node:assert/strict";
import type { BrokerDriver, BrokerMessage } from "./driver.ts";

/** Registers one test; `it` of any runner fits. */
export type BrokerTest = (
  name: string,
  options: { readonly skip: string | false },
  run: () => Promise<void>,
) => unknown;

export interface BrokerHarness {
  /** A broker for topics of the namespace `acme`. */
  open(): Promise<BrokerDriver>;
  /** Why the driver can't reach the topics of several namespaces; left out when it can. */
  readonly oneNamespace?: string;
}

const signal = new AbortController().signal;
const message = (text: string): BrokerMessage => ({ header: { n: text }, body: new TextEncoder().encode(text) });

/** What every broker driver promises: one test for each sentence of `driver.ts`. */
export function brokerConformance(it: BrokerTest, { open, oneNamespace }: BrokerHarness): void {
  const test = (name: string, run: () => Promise<void>) => it(name, { skip: false }, run);

  test("hands a message to everybody subscribed, header and body", async () => {
    await using driver = await open();
    const readers = await Promise.all(["", ""].map((queue) => driver.subscribe("acme", "orders", queue, signal)));
    await driver.publish("acme", "orders", { header: { "X-Id": "7" }, body: Uint8Array.of(0, 255) }, signal);
    for (const reader of readers) {
      const [received] = await take(reader, 1);
      equal(received?.header["X-Id"], "7");
      deepEqual([...(received?.body ?? [])], [0, 255]);
    }
  });

  test("takes a message nobody listens to", async () => {
    await using driver = await open();
    await driver.publish("acme", "nobody", message("1"), signal);
  });

  test("keeps nothing for later", async () => {
    await using driver = await open();
    await driver.publish("acme", "orders", message("before"), signal);
    const reader = await driver.subscribe("acme", "orders", "", signal);
    await driver.publish("acme", "orders", message("after"), signal);
    deepEqual(texts(await take(reader, 1)), ["after"]);
  });

  test("keeps a publisher's order", async () => {
    await using driver = await open();
    const reader = await driver.subscribe("acme", "orders", "", signal);
    const sent = Array.from({ length: 300 }, (_, index) => String(index));
    for (const text of sent) await driver.publish("acme", "orders", message(text), signal);
    deepEqual(texts(await take(reader, sent.length)), sent);
  });

  test("keeps topics apart", async () => {
    await using driver = await open();
    const reader = await driver.subscribe("acme", "orders", "", signal);
    await driver.publish("acme", "orders.eu", message("other"), signal);
    await driver.publish("acme", "orders", message("mine"), signal);
    deepEqual(texts(await take(reader, 1)), ["mine"]);
  });

  it("keeps namespaces apart", { skip: oneNamespace ?? false }, async () => {
    await using driver = await open();
    const reader = await driver.subscribe("acme", "orders", "", signal);
    await driver.publish("umbrella", "orders", message("other"), signal);
    await driver.publish("acme", "orders", message("mine"), signal);
    deepEqual(texts(await take(reader, 1)), ["mine"]);
  });

  test("shares messages within a queue: one receiver each, evenly (BR-03)", async () => {
    await using driver = await open();
    const abort = new AbortController();
    const members = await Promise.all(
      ["q", "q", "q", "q"].map((queue) => driver.subscribe("acme", "orders", queue, abort.signal)),
    );
    const witness = await driver.subscribe("acme", "orders", "", signal);
    const received: string[][] = members.map(() => []);
    let outstanding = 800;
    const all = Promise.withResolvers<void>();
    const reading = members.map(async (member, index) => {
      for await (const { header } of member) {
        received[index]?.push(header["n"] ?? "");
        if (--outstanding === 0) all.resolve();
      }
    });
    for (let sent = 0; sent < 800; sent++) await driver.publish("acme", "orders", message(String(sent)), signal);
    await all.promise;
    abort.abort();
    await Promise.all(reading);
    equal(new Set(received.flat()).size, 800);
    const counts = received.map(({ length }) => length);
    ok(Math.max(...counts) / Math.min(...counts) <= 1.3, `spread ${counts}`);
    equal((await take(witness, 800)).length, 800);
  });

  test("ends without an error when the signal aborts", async () => {
    await using driver = await open();
    const abort = new AbortController();
    const reader = await driver.subscribe("acme", "orders", "", abort.signal);
    const reading = take(reader, 1);
    abort.abort();
    deepEqual(await reading, []);
  });
}

async function take(messages: AsyncIterable<BrokerMessage>, count: number): Promise<BrokerMessage[]> {
  const taken: BrokerMessage[] = [];
  for await (const each of messages) {
    taken.push(each);
    if (taken.length === count) break;
  }
  return taken;
}

function texts(messages: readonly BrokerMessage[]): string[] {
  return messages.map(({ body }) => new TextDecoder().decode(body));
}
