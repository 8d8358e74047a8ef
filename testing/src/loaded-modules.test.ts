import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { it } from "node:test";
import { promisify } from "node:util";
import { repository } from "./micro.ts";

const run = promisify(execFile);

/** Part of Node.js that takes 60 ms and 3 MiB to load, for what these packages don't do: fetch and WebSocket clients. */
const undici = "internal/deps/undici/undici";

for (const name of ["@microts/core/rpc", "@microts/service", "@microts/platform"]) {
  it(`${name} loads no client for HTTP/1.1`, async () => {
    const script = `await import("${name}"); console.log(JSON.stringify(process.moduleLoadList))`;
    const { stdout } = await run(process.execPath, ["--input-type=module", "-e", script], { cwd: repository });
    const loaded = (JSON.parse(stdout) as string[]).map((each) => each.split(" ").at(-1));
    assert.ok(loaded.includes("net"), stdout);
    assert.ok(!loaded.includes(undici), "import no value from node:http: take it from process.getBuiltinModule");
  });
}
