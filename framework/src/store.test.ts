import { deepEqual, equal, ok, rejects } from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { type Platform, parseSettings, startPlatform } from "@microts/platform";
import { keptAddress } from "../../testing/src/kept-address.ts";
import { until } from "../../testing/src/until.ts";
import { type StoreEvent, type StoreWatch, store } from "./index.ts";

describe("the store of a service", { timeout: 280_000 }, () => {
  let home: string;
  let platform: Platform;

  const start = (proxy: string) => {
    const names = ["API", "WEB", "NETWORK"].map((name) => [`MICRO_${name}_ADDRESS`, "127.0.0.1:0"]);
    return startPlatform(parseSettings({ ...Object.fromEntries(names), MICRO_PROXY_ADDRESS: proxy, MICRO_HOME: home }));
  };
  before(async () => {
    home = await mkdtemp(join(tmpdir(), "micro-store-"));
    platform = await start(await keptAddress());
    // Where this process's own framework finds the platform.
    process.env["MICRO_HOME"] = home;
    process.env["MICRO_PROXY"] = platform.addresses.proxy;
    process.env["MICRO_SERVICE_NAME"] = "shop";
  });
  after(async () => {
    await platform?.[Symbol.asyncDispose]();
    await rm(home, { recursive: true, force: true });
  });
  const conflict = (call: Promise<unknown>, text: RegExp) => rejects(call, { code: 409, message: text });
  const take = async <T>(watch: StoreWatch<T>, count: number) => {
    const events: StoreEvent<T>[] = [];
    for await (const event of watch) if (events.push(event) === count) break;
    return events;
  };

  it("writes and deletes only what is still as it was read", async () => {
    const created = await store.write("cas/a", { n: 1 }, { ifRevision: 0 });
    const entry = { key: "cas/a", value: { n: 1 }, metadata: {}, expiresAt: undefined, revision: created };
    deepEqual(await store.get("cas/a"), entry);
    await conflict(store.write("cas/a", { n: 2 }, { ifRevision: 0 }), /"cas\/a" changed meanwhile/);
    const changed = await store.write("cas/a", { n: 2 }, { ifRevision: created });
    ok(changed > created);
    await conflict(store.write("cas/a", { n: 3 }, { ifRevision: created }), /changed meanwhile/);
    await conflict(store.delete("cas/a", { ifRevision: created }), /changed meanwhile/);
    deepEqual(await store.read("cas/a"), { n: 2 });
    await store.delete("cas/a", { ifRevision: changed });
    equal(await store.get("cas/a"), undefined);
    await rejects(store.write("cas/a", 1, { ifRevision: -1 }), { code: 400, message: /-1 is no revision/ });
  });

  it("says what is wrong with keys, values and changes that only the types forbid", async () => {
    const undefinedId = undefined as unknown as string;
    const refused = (call: Promise<unknown>, message: RegExp) => rejects(call, { code: 400, message });
    await refused(store.read(undefinedId), /the key has to be a text and is undefined/);
    await refused(store.write(7 as unknown as string, 1), /the key has to be a text and is number/);
    await refused(store.write("n", 1n), /the value of "n" can't be written as JSON: .*BigInt/);
    const loop: { self?: object } = {};
    loop.self = loop;
    await refused(
      store.write("loop", loop),
      /the value of "loop" can't be written as JSON: Converting circular structure/,
    );
    await refused(store.commit([{ write: "loop", value: loop }]), /the value of "loop" can't be written as JSON/);
    await refused(store.commit([{ remove: "x" }] as never), /the key has to be a text and is undefined/);
    await refused(store.commit({ delete: "x" } as never), /the changes have to be a list/);
  });

  it("updates without losing what others change meanwhile, keeps the expiry, and deletes for undefined", async () => {
    const add = () => store.update<number>("count", (n = 0) => n + 1);
    const results: number[] = await Promise.all(Array.from({ length: 25 }, add));
    equal(await store.read("count"), 25);
    deepEqual(new Set(results).size, 25);
    await store.write("lent", 1, { ttlMs: 60_000, metadata: { to: "jane" } });
    equal(await store.update<number>("lent", async (n = 0) => n + 1), 2);
    const left = ((await store.get("lent"))?.expiresAt?.getTime() ?? 0) - Date.now();
    ok(left > 50_000 && left <= 61_000, `${left} ms left`);
    deepEqual((await store.get("lent"))?.metadata, { to: "jane" });
    await store.update("lent", () => 3, { ttlMs: 600_000 });
    ok(((await store.get("lent"))?.expiresAt?.getTime() ?? 0) - Date.now() > 500_000);
    equal(await store.update("lent", () => undefined), undefined);
    equal(await store.get("lent"), undefined);
    equal(await store.update("lent", () => undefined), undefined);
    await rejects(
      store.update("count", () => {
        throw new Error("no");
      }),
      /^Error: no$/,
    );
  });

  it("makes changes together or not at all", async () => {
    await store.write("batch/old", 1);
    const a = await store.write("batch/a", 1);
    const revision = await store.commit([
      { write: "batch/a", value: { n: 2 }, ifRevision: a },
      { write: "batch/b", value: [1], ttlMs: 60_000 },
      { delete: "batch/old" },
    ]);
    deepEqual(await store.keys({ prefix: "batch/" }), ["batch/a", "batch/b"]);
    equal(await store.count({ prefix: "batch/" }), 2);
    equal(await store.count({ prefix: "batch/", suffix: "b" }), 1);
    ok(revision > a);
    const stale = [{ write: "batch/c", value: 1 } as const, { delete: "batch/a", ifRevision: a } as const];
    await conflict(store.commit(stale), /"batch\/a" changed meanwhile/);
    equal(await store.count({ prefix: "batch/" }), 2);
    await rejects(store.commit([{ write: "batch/x", value: undefined }]), { code: 400, message: /"batch\/x".*JSON/ });
    await rejects(store.commit([{ delete: "x" }, { delete: "x" }]), { code: 400, message: /twice/ });
    const many = Array.from({ length: 1_001 }, (_, n) => ({ write: `m${n}`, value: n }));
    await rejects(store.commit(many), { code: 413, message: /1001 changes at once; the limit is 1000/ });
    await store.commit([{ write: "elsewhere", value: 1, metadata: { of: "x" } }], { table: "other", database: "acme" });
    for (const place of [{}, { table: "other" }, { database: "acme" }])
      equal(await store.read("elsewhere", place), undefined);
    const [there] = await store.list({ table: "other", database: "acme" });
    deepEqual([there?.value, there?.metadata], [1, { of: "x" }]);
  });

  it("is watched by prefix, in order, from now on or after a revision", async () => {
    const watch = await store.watch<number>({ prefix: "w/" });
    const one = await store.write("w/1", 1);
    await store.write("other", 0);
    await store.write("w/2", 2);
    await store.delete("w/1");
    const events = await take(watch, 3);
    deepEqual(
      events.map(({ key, entry }) => [key, entry?.value]),
      [
        ["w/1", 1],
        ["w/2", 2],
        ["w/1", undefined],
      ],
    );
    equal(events[0]?.entry?.revision, one);
    ok(watch.revision < one);
    deepEqual(await take(await store.watch({ prefix: "w/", after: one }), 2), events.slice(1));
    await rejects(store.watch({ after: 1_000_000_000 }), { code: 412, message: /list what there is/ });
    await rejects(store.watch({ after: 0.5 }), { code: 400, message: /no revision/ });
    const ending = new AbortController();
    const ended = take(await store.watch({ signal: ending.signal }), 1);
    ending.abort();
    deepEqual(await ended, []);
  });

  it("is watched on through a restart of the server, without a gap or a repetition", async () => {
    const ending = new AbortController();
    const watch = await store.watch<number>({ prefix: "on/", signal: ending.signal });
    const seen: (number | undefined)[] = [];
    const watching = (async () => {
      for await (const { entry } of watch) seen.push(entry?.value);
    })();
    const comes = (count: number) =>
      until(
        async () => seen.length,
        (length) => length >= count,
      );
    await store.write("on/1", 1);
    await comes(1);
    const { proxy } = platform.addresses;
    await platform[Symbol.asyncDispose]();
    platform = await start(proxy);
    const write = () =>
      store.write("on/2", 2).then(
        () => true,
        () => false,
      );
    await until(write, (done) => done);
    await store.write("on/3", 3);
    await until(
      async () => seen.at(-1),
      (last) => last === 3,
    );
    ending.abort();
    await watching;
    deepEqual(seen, [1, 2, 3]);
  });
});
