import { deepEqual, equal, ok, rejects, throws } from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { silent } from "@microts/core";
import { z } from "zod";
import { type ServedMethods, serveMethods } from "../../testing/src/remote.ts";
import { client } from "./client.ts";
import { type Context, endpoint } from "./endpoint.ts";
import { endpointName } from "./endpoint-name.ts";
import { errors } from "./errors.ts";
import { bindEndpoint } from "./methods.ts";
import { service } from "./service.ts";

const numbers = z.object({ n: z.int() });
let called = Promise.withResolvers<number>();
let calls = 0;
let nested: Context | undefined;
let left = Promise.withResolvers<void>();

const far = service("far", {
  add: endpoint({
    input: numbers,
    output: numbers,
    handler: ({ n }, context) => {
      nested = context;
      calls++;
      called.resolve(n);
      return { n: n + 1 };
    },
  }),
  fail: endpoint({
    handler: (): { n: number } => {
      throw errors.conflict("taken");
    },
  }),
  hang: endpoint({
    handler: (_, { signal }) =>
      new Promise<void>((_, reject) =>
        signal.addEventListener("abort", () => {
          left.resolve();
          reject(signal.reason);
        }),
      ),
  }),
  count: endpoint({
    input: numbers,
    output: numbers,
    async *handler({ n }) {
      calls++;
      for (let at = 0; at < n; at++) yield { n: at };
    },
  }),
  sum: endpoint({
    inputs: "stream",
    input: numbers,
    output: numbers,
    handler: async (inputs) => ({ n: (await Array.fromAsync(inputs, ({ n }) => n)).reduce((a, b) => a + b, 0) }),
  }),
  double: endpoint({
    inputs: "stream",
    input: numbers,
    output: numbers,
    async *handler(inputs) {
      for await (const { n } of inputs) yield { n: n * 2 };
    },
  }),
});
const remote = client<typeof far>("far");

const near = service("near", {
  pass: endpoint({ input: numbers, output: numbers, handler: (input) => remote.add(input) }),
  hang: endpoint({ handler: () => remote.hang() }),
  hangMine: endpoint({ handler: () => remote.hang(undefined, { signal: new AbortController().signal }) }),
});
const front = client<typeof near>("near");

async function* each(...values: number[]) {
  for (const n of values) yield { n };
}

describe("a client of another service", () => {
  let served: ServedMethods;
  let home: string;
  before(async () => {
    const methods = [far, near].flatMap(({ name, endpoints }) =>
      Object.entries(endpoints).map(([key, each]) => bindEndpoint(name, endpointName(name, key), each, silent).method),
    );
    served = await serveMethods("far", methods, { account: undefined });
    home = await mkdtemp(join(tmpdir(), "micro-client-"));
    // What a service finds in its environment; read at the first call.
    Object.assign(process.env, { MICRO_PROXY: served.address, MICRO_HOME: home });
  });
  after(async () => {
    await served[Symbol.asyncDispose]();
    await rm(home, { recursive: true });
  });

  it("gets one reply when awaited, the same when awaited again", async () => {
    calls = 0;
    const call = remote.add({ n: 1 });
    deepEqual([await call, await call, await call.then(({ n }) => n)], [{ n: 2 }, { n: 2 }, 2]);
    equal(calls, 1);
  });

  it("is a promise in every way", async () => {
    let finished = false;
    await remote.add({ n: 1 }).finally(() => {
      finished = true;
    });
    equal(finished, true);
    equal(await remote.fail().catch(({ code }: { code: number }) => code), 409);
    deepEqual(await Promise.all([remote.add({ n: 1 }), remote.add({ n: 2 })]), [{ n: 2 }, { n: 3 }]);
  });

  it("gets many replies when looped over", async () => {
    calls = 0;
    deepEqual(await Array.fromAsync(remote.count({ n: 3 }), ({ n }) => n), [0, 1, 2]);
    equal(calls, 1);
  });

  it("sends many requests", async () => {
    deepEqual(await remote.sum(each(1, 2, 3)), { n: 6 });
    deepEqual(await Array.fromAsync(remote.double(each(1, 2)), ({ n }) => n), [2, 4]);
  });

  it("sends a call that is left alone", async () => {
    called = Promise.withResolvers();
    void remote.add({ n: 41 });
    equal(await called.promise, 41);
    // Its failure is nobody's: it must not end the process.
    void remote.fail();
    await remote.add({ n: 1 });
  });

  it("says that a loop began too late, or for the second time", async () => {
    const late = remote.count({ n: 1 });
    await Promise.resolve();
    throws(() => late[Symbol.asyncIterator](), { code: 400, detail: /same turn/ });
    const twice = remote.count({ n: 1 });
    await Array.fromAsync(twice);
    throws(() => twice[Symbol.asyncIterator](), { code: 400, detail: /looped over once/ });
    await rejects(Promise.resolve(twice), { code: 400, detail: /can't be awaited/ });
  });

  it("fails with the other service's own code, id and detail", async () => {
    await rejects(Promise.resolve(remote.fail()), { code: 409, id: "far.Far.Fail", detail: "taken" });
    await rejects(Promise.resolve(remote.add({ n: "x" as never })), { code: 400, detail: /n: / });
  });

  it("ends at its own timeout and its own signal", async () => {
    await rejects(Promise.resolve(remote.hang(undefined, { timeoutMs: 50 })), { code: 408 });
    const abort = new AbortController();
    const call = rejects(Promise.resolve(remote.hang(undefined, { signal: abort.signal })), { code: 499 });
    abort.abort();
    await call;
  });

  it("hands a handler's deadline on to the calls it makes", async () => {
    const timeoutMs = 5_000;
    await front.pass({ n: 1 }, { timeoutMs });
    const remaining = (nested?.deadline?.getTime() ?? 0) - Date.now();
    ok(remaining > 0 && remaining <= timeoutMs + 50, `${remaining} ms were left`);
  });

  for (const endpoint of ["hang", "hangMine"] as const) {
    it(`ends a handler's calls when its caller leaves (${endpoint})`, async () => {
      left = Promise.withResolvers();
      await rejects(Promise.resolve(front[endpoint](undefined, { timeoutMs: 1000 })), { code: 408 });
      await left.promise;
    });
  }
});
