import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { it } from "node:test";
import { promisify } from "node:util";
import { repository } from "./micro.ts";

const run = promisify(execFile);

/** Parts of Node.js that take long to load, and what needs them. */
const undici = "internal/deps/undici/undici"; // 60 ms and 3 MiB: clients of HTTP/1.1 and WebSocket. An import of node:http loads it.
const cryptography = ["crypto", "tls", "zlib"]; // 20, 30 and 10 ms: TLS, signing and compressing, not a call over clear text.

for (const name of ["@microts/core/rpc", "@microts/service", "@microts/platform"]) {
  it(`${name} loads no client for HTTP/1.1`, async () => {
    const loaded = await loadedBy(name);
    assert.ok(loaded.includes("net"), loaded.join());
    assert.ok(!loaded.includes(undici), "import no value from node:http: take it from process.getBuiltinModule");
  });
}

it("what every command line needs loads neither TLS nor cryptography nor compression", async () => {
  const loaded = await loadedBy("@microts/core/rpc/client", "./cli/src/run-command.ts");
  assert.ok(loaded.includes("net"), loaded.join());
  const found = loaded.filter((each) => [undici, ...cryptography, "child_process", "fs/promises"].includes(each));
  assert.deepEqual(found, [], "take it from process.getBuiltinModule where it is used");
});

it("what store commands need loads neither TLS nor cryptography nor HTTP", async () => {
  const loaded = await loadedBy("@microts/core/rpc/service-client", "./cli/src/commands/store.ts");
  assert.ok(loaded.includes("stream/consumers"), loaded.join());
  const found = loaded.filter((each) => [undici, ...cryptography, "http", "child_process"].includes(each));
  assert.deepEqual(found, [], "take it from process.getBuiltinModule where it is used");
});

/** Names of the parts of Node.js that a process has after it has imported these. */
async function loadedBy(...names: readonly string[]): Promise<string[]> {
  const imports = names.map((name) => `await import(${JSON.stringify(name)});`).join(" ");
  const script = `${imports} console.log(JSON.stringify(process.moduleLoadList))`;
  const { stdout } = await run(process.execPath, ["--input-type=module", "-e", script], { cwd: repository });
  return (JSON.parse(stdout) as string[]).map((each) => each.split(" ").at(-1) ?? "");
}
