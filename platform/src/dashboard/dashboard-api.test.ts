import assert from "node:assert/strict";
import { once } from "node:events";
import { afterEach, beforeEach, describe, it } from "node:test";
import { type DashboardAnswer, DashboardUnderTest, jane } from "../../../testing/src/dashboard.ts";

let dashboard: DashboardUnderTest;

beforeEach(async () => {
  dashboard = await DashboardUnderTest.open();
});
afterEach(() => dashboard[Symbol.asyncDispose]());

describe("calls", () => {
  it("passes the request through with every digit, as the session's account", async () => {
    const cookie = await dashboard.signIn();
    const body = '{"service":"helloworld","endpoint":"Echo.Call","request":{"id":9007199254740993,"x":1.10,"s":"9"}}';
    const response = await dashboard.send({ method: "POST", path: "/api/call", headers: { cookie } }, body);
    assert.equal(response.headers["content-type"], "application/json");
    assert.equal(response.text, '{"id":9007199254740993,"x":1.10,"s":"9"}');
    assert.equal(dashboard.backend.calls[0]?.token, jane.token);
  });

  it("sends {} when there is no request", async () => {
    const response = await dashboard.call("Echo.Call");
    assert.equal(response.text, "{}");
  });

  it("answers a service's error with its status and the four fields", async () => {
    const response = await dashboard.call("Fail.Call");
    assert.equal(response.status, 404);
    assert.deepEqual(json(response), {
      id: "helloworld",
      code: 404,
      detail: "no such greeting",
      status: "Not Found",
    });
  });

  it("shows neither stack nor message of a bug", async () => {
    for (const endpoint of ["Bug.Call", "Stream.Bug"]) {
      const { text } = await dashboard.call(endpoint);
      assert.match(text, /its log says more/);
      assert.doesNotMatch(text, /secret|\.ts|at /);
    }
  });

  it("sends each reply of a stream as one line, as it comes", async () => {
    const stream = await dashboard.openStream(await dashboard.signIn());
    assert.equal(stream.headers["content-type"], "application/x-ndjson");
    const [chunk] = await once(stream, "data");
    assert.deepEqual(String(chunk).split("\n").length, 2);
    assert.deepEqual(JSON.parse(String(chunk)), { n: 1 });
    stream.destroy();
  });

  it("ends a stream when it is complete", async () => {
    const { text } = await dashboard.call("Stream.Short");
    assert.deepEqual(
      text
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line)),
      [{ n: 1 }, { n: 2 }],
    );
  });

  it("answers a stream refused before its first reply with the error's status", async () => {
    const response = await dashboard.call("Stream.Refused");
    assert.equal(response.status, 403);
    assert.equal(json(response).detail, "not for you");
  });

  it("ends a stream that breaks with the error as its last line", async () => {
    const last = (await dashboard.call("Stream.Breaks")).text.trim().split("\n").at(-1) ?? "";
    assert.equal(JSON.parse(last).error.detail, "the node went away");
  });

  it("cancels the call when the browser goes away", async () => {
    const stream = await dashboard.openStream(await dashboard.signIn());
    await once(stream, "data");
    stream.destroy();
    while (dashboard.backend.cancelled.length === 0) await new Promise(setImmediate);
    assert.deepEqual(dashboard.backend.cancelled, ["Stream.Endless"]);
  });

  it("needs a session", async () => {
    assert.equal((await dashboard.post("/api/call", { service: "a", endpoint: "Echo.Call" })).status, 401);
    assert.equal((await dashboard.get("/api/services")).status, 401);
    assert.equal(dashboard.backend.calls.length, 0);
  });

  const bodies: [body: string, words: RegExp][] = [
    ["", /isn't JSON/],
    ["[]", /JSON object/],
    ["{", /isn't JSON/],
    ['{"endpoint":"A.B"}', /"service"/],
    ['{"service":"a","endpoint":7}', /"endpoint"/],
    [`{"service":"${"a".repeat(300)}","endpoint":"A.B"}`, /"service"/],
    ['{"__proto__":{"service":"a","endpoint":"A.B"}}', /"service"/],
  ];
  for (const [body, words] of bodies) {
    it(`refuses the body ${body.slice(0, 50) || "(empty)"}`, async () => {
      const headers = { cookie: await dashboard.signIn() };
      const response = await dashboard.send({ method: "POST", path: "/api/call", headers }, body);
      assert.equal(response.status, 400);
      assert.match(json(response).detail, words);
    });
  }
});
function json({ text }: DashboardAnswer): Record<string, unknown> & { readonly detail: string } {
  return JSON.parse(text);
}
