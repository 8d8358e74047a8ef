import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Account, MicroError } from "@microts/core";
import { openStream, serviceClient } from "@microts/core/rpc";
import { EmbeddedBroker } from "@microts/driver-embedded";
import { Broker as BrokerService, type Message } from "@microts/proto/broker";
import { serveMethods, testAdmin } from "@microts/testing";
import { Broker, brokerMethods, maxMessageBytes } from "./index.ts";

const jane: Account = { ...testAdmin, issuer: "acme", scopes: [] };

async function serve(
  account: Account | undefined,
  driver = new EmbeddedBroker(),
  namespace = account?.issuer ?? "micro",
) {
  const served = await serveMethods("broker", brokerMethods(new Broker(driver)), { account, namespace });
  return {
    rpc: served.rpc,
    client: serviceClient(BrokerService, served.rpc, "broker"),
    [Symbol.asyncDispose]: () => served[Symbol.asyncDispose](),
  };
}

function fails(code: number, text: RegExp) {
  return (error: unknown) => {
    assert.ok(error instanceof MicroError, String(error));
    assert.equal(error.code, code, error.detail);
    assert.match(error.detail, text);
    return true;
  };
}

async function first(messages: AsyncIterable<Message>): Promise<Message | undefined> {
  for await (const message of messages) return message;
  return undefined;
}

describe("broker.Broker over RPC", () => {
  it("adds the publisher's metadata to the header, but never the token", async () => {
    await using served = await serve(jane);
    const messages = await openStream(BrokerService.method.subscribe, served.rpc, "broker", { topic: "orders" });
    const metadata = { authorization: "Bearer secret", "micro-trace-id": "t1", "x-own": "from metadata" };
    await served.client.publish(
      { topic: "orders", message: { header: { "X-Own": "kept", "micro-topic": "bills" }, body: Uint8Array.of(1) } },
      { metadata },
    );
    const received = await first(messages);
    assert.deepEqual([...(received?.body ?? [])], [1]);
    assert.equal(received?.header["X-Own"], "kept");
    assert.equal(received?.header["Micro-Trace-Id"], "t1");
    assert.equal(received?.header["Micro-Topic"], "orders");
    assert.equal(received?.header["micro-topic"], undefined);
    assert.equal(JSON.stringify(received?.header).toLowerCase().includes("secret"), false);
    assert.equal(Object.keys(received?.header ?? {}).filter((name) => name.toLowerCase() === "x-own").length, 1);
  });

  it("keeps tenants apart by the account, whatever namespace the call acts in", async () => {
    const driver = new EmbeddedBroker();
    await using acme = await serve(jane, driver);
    await using umbrella = await serve({ ...jane, issuer: "umbrella" }, driver, "acme");
    const messages = await openStream(BrokerService.method.subscribe, acme.rpc, "broker", { topic: "orders" });
    await umbrella.client.publish({ topic: "orders", message: { body: new TextEncoder().encode("theirs") } });
    await acme.client.publish({ topic: "orders", message: { body: new TextEncoder().encode("ours") } });
    assert.equal(new TextDecoder().decode((await first(messages))?.body), "ours");
  });

  it("takes another namespace from admins of micro alone", async () => {
    const driver = new EmbeddedBroker();
    await using acme = await serve(jane, driver);
    await using micro = await serve(testAdmin, driver);
    const heard = await openStream(BrokerService.method.subscribe, acme.rpc, "broker", { topic: "orders" });
    const wanted = { topic: "orders", namespace: "acme" };
    const told = await openStream(BrokerService.method.subscribe, micro.rpc, "broker", wanted);
    await micro.client.publish({ topic: "orders", message: { body: new TextEncoder().encode("micro's own") } });
    await micro.client.publish({ ...wanted, message: { body: new TextEncoder().encode("acme's") } });
    for (const messages of [heard, told])
      assert.equal(new TextDecoder().decode((await first(messages))?.body), "acme's");
    for (const account of [
      { ...jane, issuer: "umbrella", scopes: ["admin"] },
      { ...testAdmin, scopes: [] },
    ]) {
      await using stranger = await serve(account, driver);
      await assert.rejects(
        stranger.client.publish({ ...wanted, message: {} }),
        fails(403, /access denied to namespace/),
      );
      await assert.rejects(first(stranger.client.subscribe(wanted)), fails(403, /access denied to namespace/));
    }
  });

  it("needs an account, a topic and a message", async () => {
    await using nobody = await serve(undefined);
    await assert.rejects(nobody.client.publish({ topic: "orders", message: {} }), fails(401, /an account is required/));
    await assert.rejects(first(nobody.client.subscribe({ topic: "orders" })), fails(401, /an account is required/));
    await using served = await serve(jane);
    await assert.rejects(served.client.publish({ topic: "orders" }), fails(400, /Missing message/));
    await assert.rejects(served.client.publish({ message: {} }), fails(400, /Missing topic/));
    await assert.rejects(first(served.client.subscribe({})), fails(400, /Missing topic/));
    await assert.rejects(served.client.publish({ topic: "a\nb", message: {} }), fails(400, /control characters/));
    await assert.rejects(served.client.publish({ topic: "x".repeat(256), message: {} }), fails(400, /longer than 255/));
    for (const topic of ["a.*", "*", "a.>", ">.a"])
      await assert.rejects(
        served.client.publish({ topic, message: {} }),
        fails(400, /has the wildcard ".".*for subscribers/),
      );
    for (const topic of [">.a", "a.>.b"])
      await assert.rejects(first(served.client.subscribe({ topic })), fails(400, /has ">" before its end/));
  });

  it("takes a message of 8 MiB and none larger", async () => {
    const broker = new Broker(new EmbeddedBroker());
    await broker.publish("orders", new Uint8Array(maxMessageBytes));
    await assert.rejects(broker.publish("orders", new Uint8Array(maxMessageBytes + 1)), fails(413, /limit is 8388608/));
  });

  it("forgets a subscriber that goes away", async () => {
    const driver = new EmbeddedBroker();
    await using served = await serve(jane, driver);
    const abort = new AbortController();
    const messages = await openStream(
      BrokerService.method.subscribe,
      served.rpc,
      "broker",
      { topic: "orders" },
      { signal: abort.signal },
    );
    const reading = first(messages).catch(() => undefined);
    assert.equal(driver.subscriptions, 1);
    abort.abort();
    await reading;
    const deadline = Date.now() + 5_000;
    while (driver.subscriptions > 0) {
      assert.ok(Date.now() < deadline, "the subscription is still there");
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  });
});
