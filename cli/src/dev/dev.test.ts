import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { Changes } from "./changes.ts";
import { exampleCalls } from "./examples.ts";

describe("Changes", () => {
  it("tells of a file that is written, also before it is asked", async () => {
    const folder = await mkdtemp(join(tmpdir(), "micro-changes-"));
    using changes = new Changes();
    changes.watch([folder]);
    const first = changes.next(AbortSignal.timeout(60_000));
    await writeFile(join(folder, "a.ts"), "1");
    assert.equal(await first, true);
    await rm(folder, { recursive: true });
    assert.equal(await changes.next(AbortSignal.timeout(60_000)), true);
  });
  it("ends with the signal", async () => {
    using changes = new Changes();
    const stop = new AbortController();
    const next = changes.next(stop.signal);
    stop.abort();
    assert.equal(await next, false);
    assert.equal(await changes.next(stop.signal), false);
  });
  it("doesn't mind folders that aren't there", () => {
    using changes = new Changes();
    changes.watch(["/nowhere/at/all"]);
  });
});

describe("exampleCalls", () => {
  const field = (name: string, type: string) => ({ name, type, values: [] });
  const service = (endpoint: string, fields: readonly ReturnType<typeof field>[], metadata = {}) => ({
    name: "helloworld",
    version: "latest",
    nodes: [],
    endpoints: [{ name: endpoint, request: { name: "R", type: "R", values: fields }, response: undefined, metadata }],
  });
  it("calls Call by the service's name alone, with a sample for each plain field", () => {
    const fields = [field("name", "string"), field("count", "int32"), field("tags", "[]string")];
    assert.deepEqual(exampleCalls(service("Helloworld.Call", fields), "127.0.0.1:8080", "micro"), [
      "micro helloworld --name=Jane --count=1",
      "curl 'localhost:8080/helloworld/call?name=Jane&count=1'",
    ]);
  });
  it("names the endpoint where a bare service name would show help", () => {
    assert.deepEqual(exampleCalls(service("Helloworld.Call", []), undefined, "micro"), ["micro helloworld call"]);
  });
  it("names the tenant", () => {
    const [, curl] = exampleCalls(service("Posts.List", []), "127.0.0.1:8080", "acme");
    assert.equal(curl, "curl -H 'Micro-Namespace: acme' 'localhost:8080/helloworld/posts/list'");
  });
  it("has no curl line for streams", () => {
    assert.equal(
      exampleCalls(service("Helloworld.Count", [], { stream: "true" }), "127.0.0.1:8080", "micro").length,
      1,
    );
  });
});
