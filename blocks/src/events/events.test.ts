import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Account } from "@microts/core";
import { decodeMessage, encodeMessage } from "@microts/core/codec";
import { type RpcClient, serviceClient } from "@microts/core/rpc";
import { EmbeddedEvents, openEmbeddedStore } from "@microts/driver-embedded";
import { AckRequestSchema, ConsumeRequestSchema, EventSchema, Store, Stream } from "@microts/proto/events";
import { serveMethods } from "@microts/testing";
import { Events } from "./events.ts";
import { eventsMethods } from "./service.ts";

const service: Account = { id: "a", name: "a", type: "service", issuer: "acme", scopes: ["service"], metadata: {} };

async function open(stopping?: AbortSignal) {
  const stack = new AsyncDisposableStack();
  const { database } = stack.use(await openEmbeddedStore());
  const events = new Events(stack.use(new EmbeddedEvents({ database })));
  const as = async (account: Account | undefined) => {
    const { rpc } = stack.use(await serveMethods("events", eventsMethods(events, stopping), { account }));
    return { rpc, stream: serviceClient(Stream, rpc, "events"), store: serviceClient(Store, rpc, "events") };
  };
  return { events, as, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

/** A consumer as the original's: it sends its request, then acknowledgements, and never closes its side. */
function rawConsumer(
  rpc: RpcClient,
  request: { group?: string; ackWait?: bigint; retryLimit?: bigint; offset?: bigint; autoAck?: boolean },
) {
  const queue: Uint8Array[] = [encodeMessage(ConsumeRequestSchema, { topic: "t", ...request }, "proto")];
  let wake = () => {};
  async function* requests() {
    for (;;) {
      const bytes = queue.shift();
      if (bytes !== undefined) yield bytes;
      else await new Promise<void>((resolve) => (wake = resolve));
    }
  }
  const replies = rpc.bidi("events", "Stream.Consume", requests());
  return {
    async next() {
      const { value } = await replies.next();
      return value === undefined ? undefined : decodeMessage(EventSchema, value, "proto");
    },
    answer(id: string, success: boolean) {
      queue.push(encodeMessage(AckRequestSchema, { id, success }, "proto"));
      wake();
    },
    close: () => replies.return(undefined),
  };
}

describe("Events", () => {
  it("publishes bytes as they are and anything else as JSON", async () => {
    await using fixture = await open();
    const { events } = fixture;
    await events.publish("t", Buffer.from([0, 255]));
    await events.publish("t", { a: ["b"] }, { metadata: { k: "v" } });
    await events.publish("t", "text");
    const { events: read } = await events.read("t");
    assert.deepEqual(
      read.map(({ payload }) => Buffer.from(payload).toString("hex")),
      ["00ff", Buffer.from('{"a":["b"]}').toString("hex"), Buffer.from('"text"').toString("hex")],
    );
    assert.ok(Math.abs((read[0]?.timestamp.getTime() ?? 0) - Date.now()) < 5000);
  });

  it("refuses bad topics, groups, payloads, times and numbers", async () => {
    await using fixture = await open();
    const { events } = fixture;
    const circular: unknown[] = [];
    circular.push(circular);
    const bad: [Promise<unknown>, number, RegExp][] = [
      [events.publish("", 1), 400, /Missing topic/],
      [events.publish("a\nb", 1), 400, /control/],
      [events.publish("x".repeat(257), 1), 400, /longer/],
      [events.publish("t", undefined), 400, /Error encoding message/],
      [events.publish("t", circular), 400, /Error encoding message/],
      [events.publish("t", new Uint8Array(4 * 1024 * 1024 + 1)), 413, /blob store/],
      [events.publish("t", 1, { metadata: { k: "x".repeat(70_000) } }), 413, /metadata/],
      [events.publish("t", 1, { timestamp: new Date(Number.NaN) }), 400, /time/],
      [events.publish("t", 1, { namespace: "A" }), 400, /namespace/],
      [events.consume("", {}), 400, /Missing topic/],
      [events.consume("t", { ackWaitMs: 0 }), 400, /invalid AckWait/],
      [events.consume("t", { retryLimit: 0.5 }), 400, /retryLimit/],
      [events.read("t", { limit: 0 }), 400, /limit/],
      [events.read("t", { from: -1 }), 400, /offset/],
      [events.publish("t", 1, { id: "a\nb" }), 400, /control/],
      [events.consume("t", { maxUnanswered: 0 }), 400, /maxUnanswered/],
      [events.consume("t", { from: 1.5 }), 400, /offset/],
      [events.configure("t", { maxBytes: 0 }), 400, /maxBytes/],
      [events.seek("t", "", "latest"), 400, /Missing group/],
      [events.groups(""), 400, /Missing topic/],
    ];
    for (const [call, code, message] of bad) await assert.rejects(call, { code, message });
  });
});

describe("the events service", () => {
  it("lets services and admins use the streams of their own namespace, and nobody else", async () => {
    await using fixture = await open();
    const acme = await fixture.as(service);
    await acme.stream.publish({ topic: "t", payload: Buffer.from("x") });
    assert.equal((await acme.store.read({ topic: "t" })).events.length, 1);
    const other = await fixture.as({ ...service, issuer: "acm" });
    assert.equal((await other.store.read({ topic: "t" })).events.length, 0);
    for (const [account, code] of [
      [undefined, 401],
      [{ ...service, scopes: [] }, 403],
    ] as const) {
      const { stream, store } = await fixture.as(account);
      await assert.rejects(stream.publish({ topic: "t" }), { code });
      await assert.rejects(store.read({ topic: "t" }), { code });
      await assert.rejects(store.write({ event: { topic: "t" } }), { code });
      await assert.rejects(Array.fromAsync(stream.consume({ topic: "t" })), { code });
    }
  });

  it("takes timestamp 0 for now, and writes to the store what it is given", async () => {
    await using fixture = await open();
    const { stream, store } = await fixture.as(service);
    await stream.publish({ topic: "t", payload: Buffer.from("a") });
    await store.write({
      event: { topic: "t", payload: Buffer.from("b"), metadata: { k: "v" }, timestamp: 1_000_000n },
    });
    await store.write({ event: { topic: "t", payload: Buffer.from("c") }, ttl: 3600n });
    const { events } = await store.read({ topic: "t" });
    assert.ok(Math.abs(Number(events[0]?.timestamp ?? 0n) - Date.now() / 1000) < 5);
    assert.equal(events[1]?.timestamp, 1_000_000n);
    assert.equal(events[1]?.metadata["k"], "v");
    assert.deepEqual(
      events.map(({ offset }) => offset),
      [0n, 1n, 2n],
    );
    assert.equal((await store.read({ topic: "t", limit: 1n, offset: 1n })).events.length, 1);
    await assert.rejects(stream.publish({}), { code: 400, message: /Missing topic/ });
    await assert.rejects(store.write({}), { code: 400, message: /Missing event/ });
  });

  it("takes acknowledgements on the stream of a consumer that never closes its side (wire §9)", async () => {
    await using fixture = await open();
    const { rpc, stream } = await fixture.as(service);
    for (const text of ["a", "b"]) await stream.publish({ topic: "t", payload: Buffer.from(text), timestamp: 1000n });
    const consumer = rawConsumer(rpc, { group: "g", offset: 1n, retryLimit: -1n });
    const texts: string[] = [];
    while (texts.length < 3) {
      const event = await consumer.next();
      const text = Buffer.from(event?.payload ?? []).toString();
      texts.push(text + event?.attempt);
      consumer.answer(event?.id ?? "", text !== "a" || texts.includes("a2"));
    }
    assert.deepEqual(texts, ["a1", "b1", "a2"]);
    consumer.answer("unknown id", true);
    await stream.publish({ topic: "t", payload: Buffer.from("c") });
    assert.equal(Buffer.from((await consumer.next())?.payload ?? []).toString(), "c");
    await consumer.close();
  });

  it("delivers once when the retry limit was left at 0, without any ack wait given", async () => {
    await using fixture = await open();
    const { rpc, stream } = await fixture.as(service);
    for (const text of ["a", "b"]) await stream.publish({ topic: "t", payload: Buffer.from(text), timestamp: 1000n });
    const consumer = rawConsumer(rpc, { group: "g", offset: 1n });
    const first = await consumer.next();
    consumer.answer(first?.id ?? "", false);
    assert.equal(Buffer.from((await consumer.next())?.payload ?? []).toString(), "b");
    await stream.publish({ topic: "t", payload: Buffer.from("c") });
    assert.equal(Buffer.from((await consumer.next())?.payload ?? []).toString(), "c");
    await consumer.close();
  });

  it("sends consumers away when the server stops, with what they answer until then", async () => {
    const stopping = new AbortController();
    await using fixture = await open(stopping.signal);
    const { rpc, stream } = await fixture.as(service);
    for (const text of ["a", "b"]) await stream.publish({ topic: "t", payload: Buffer.from(text) });
    const consumer = rawConsumer(rpc, { group: "g", offset: 1n, retryLimit: -1n });
    const [first, second] = [await consumer.next(), await consumer.next()];
    stopping.abort();
    await stream.publish({ topic: "t", payload: Buffer.from("c") });
    consumer.answer(first?.id ?? "", true);
    consumer.answer(second?.id ?? "", true);
    assert.equal(await consumer.next(), undefined);
    const [group] = (await stream.groups({ topic: "t" })).groups;
    assert.deepEqual([group?.position, group?.lag], [2n, 1n]);
    await assert.rejects(Array.fromAsync(stream.consume({ topic: "t" })), { code: 503, message: /stopping/ });
  });

  it("serves a plain server-streaming client that closes its side at once", async () => {
    await using fixture = await open();
    const { stream } = await fixture.as(service);
    await stream.publish({ topic: "t", payload: Buffer.from("a"), timestamp: 1000n });
    for await (const event of stream.consume({ topic: "t", offset: 1n, autoAck: true })) {
      assert.equal(Buffer.from(event.payload).toString(), "a");
      break;
    }
  });

  it("ends the call with an error when an acknowledgement is malformed", async () => {
    await using fixture = await open();
    const { rpc } = await fixture.as(service);
    async function* requests() {
      yield encodeMessage(ConsumeRequestSchema, { topic: "t" }, "proto");
      yield Buffer.from([0xff, 0xff]);
      await new Promise(() => {});
    }
    await assert.rejects(Array.fromAsync(rpc.bidi("events", "Stream.Consume", requests())), { code: 400 });
  });
});
