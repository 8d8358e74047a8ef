import { deepEqual, equal, rejects } from "node:assert/strict";
import { describe, it } from "node:test";
import { openRuntimePlatform, runtimeSource, tarOf } from "@microts/testing";
import { Runtime } from "./index.ts";

const owner = { name: "admin", group: "micro" };

describe("Runtime", () => {
  const names = [
    "",
    "../x",
    "-rf",
    ".hidden",
    "a/b",
    "a b",
    "a\0b",
    "é",
    "🚀",
    "n".repeat(64),
    "n".repeat(300),
    "auth",
    "Store",
    "runtime",
    "a:b",
    "a\n",
  ];
  for (const name of names) {
    it(`refuses the name ${JSON.stringify(name.slice(0, 70))} everywhere (RT-12)`, async () => {
      await using platform = await openRuntimePlatform();
      const runtime = new Runtime(platform.runtime);
      await rejects(runtime.create({ name }, { owner }), { code: 400, id: "runtime.Runtime.Create" });
      await rejects(runtime.update({ name }), { code: 400, id: "runtime.Runtime.Update" });
      await rejects(runtime.delete(name), { code: 400, id: "runtime.Runtime.Delete" });
      await rejects(runtime.logs(name), { code: 400, id: "runtime.Runtime.Logs" });
      await rejects(runtime.upload(name, runtimeSource("good")), { code: 400, id: "runtime.Source.Upload" });
      await rejects(runtime.build(name), { code: 400, id: "runtime.Build.Read" });
    });
  }

  const bad: readonly [string, Parameters<Runtime["create"]>[0], Partial<Parameters<Runtime["create"]>[1]>][] = [
    ["a version with a space", { name: "a", version: "v 1" }, {}],
    ["a version of 129 characters", { name: "a", version: "1".repeat(129) }, {}],
    ["a version that begins with a dash", { name: "a", version: "-v" }, {}],
    ["a version with a colon", { name: "a", version: "a:b" }, {}],
    ["a source with a newline", { name: "a", source: "source://a:b\n" }, {}],
    ["metadata of the runtime's own", { name: "a", metadata: { owner: "root" } }, {}],
    ["too much metadata", { name: "a", metadata: { a: "x".repeat(20_000) } }, {}],
    ["a namespace with capitals", { name: "a" }, { namespace: "Acme" }],
    ["a namespace that is a path", { name: "a" }, { namespace: "../acme" }],
    ["an entrypoint outside", { name: "a" }, { entrypoint: "../b" }],
    ["an absolute entrypoint", { name: "a" }, { entrypoint: "/etc" }],
    ["no instances", { name: "a" }, { instances: 0 }],
    ["half an instance", { name: "a" }, { instances: 1.5 }],
    ["too many instances", { name: "a" }, { instances: 33 }],
    ["a NUL in an argument", { name: "a" }, { args: ["a\0b"] }],
    ...[
      "MICRO_AUTH_ID",
      "MICRO_AUTH_PRIVATE_KEY",
      "MICRO_PROXY",
      "NODE_OPTIONS",
      "LD_PRELOAD",
      "PATH",
      "HOME",
      "NODE_CHANNEL_FD",
      "1A",
      "A-B",
      "",
    ].map(
      (name) =>
        [`the variable ${JSON.stringify(name)}`, { name: "a" }, { env: { [name]: "x" } }] as [
          string,
          { name: string },
          object,
        ],
    ),
    ["a variable with a NUL", { name: "a" }, { env: { A: "\0" } }],
    ["a variable that is too long", { name: "a" }, { env: { A: "x".repeat(40_000) } }],
  ];
  for (const [what, service, options] of bad) {
    it(`refuses ${what}`, async () => {
      await using platform = await openRuntimePlatform();
      await rejects(new Runtime(platform.runtime).create(service, { owner, ...options }), {
        code: 400,
        id: "runtime.Runtime.Create",
      });
    });
  }

  it("runs services of one name in two tenants apart (RT-12)", async () => {
    await using platform = await openRuntimePlatform();
    const runtime = new Runtime(platform.runtime);
    for (const namespace of ["acme", "micro"]) {
      await runtime.upload("same", runtimeSource("good"), { namespace });
      await runtime.create({ name: "same" }, { namespace, owner });
    }
    await runtime.delete("same", { namespace: "acme" });
    deepEqual(await runtime.read({ namespace: "acme" }), []);
    equal((await runtime.read())[0]?.status, "running");
    equal((await Array.fromAsync(await runtime.logs("same"))).length, 1);
  });

  it("limits the size of a source, and leaves nothing of one that is too large", async () => {
    await using platform = await openRuntimePlatform();
    const runtime = new Runtime(platform.runtime, { maxSourceBytes: 10_000 });
    await rejects(runtime.upload("big", tarOf({ "a.txt": "x".repeat(20_000) })), {
      code: 413,
      id: "runtime.Source.Upload",
    });
    deepEqual(await platform.blobs.list("micro", "", new AbortController().signal), []);
  });

  it("says what to do when a source was never uploaded", async () => {
    await using platform = await openRuntimePlatform();
    await rejects(new Runtime(platform.runtime).create({ name: "ghost" }, { owner }), {
      code: 400,
      message: /no source "source:\/\/ghost:latest"/,
    });
  });
});
