import assert from "node:assert/strict";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { Events, RemoteEvents } from "@microts/blocks/events";
import { RpcClient } from "@microts/core/rpc";
import { Child } from "./child.ts";

const skip = process.env["MICRO_NIGHTLY"] ? false : "in npm run test:nightly";
const program = fileURLToPath(new URL("streams-server.ts", import.meta.url));
const backlog = 50_000;
const rounds = 3;

it("a slow consumer of a stream costs neither memory nor the speed of a fast one (EV-11)", {
  skip,
  timeout: 280_000,
}, async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "micro-slow-"));
  const over = new AbortController();
  try {
    await using server = new Child(program, [join(folder, "data")], {
      cwd: folder,
      env: { PATH: process.env["PATH"] ?? "" },
    });
    const [, address = "", pid = ""] = await server.saying(/serving (\S+) as (\d+)/);
    await using rpc = new RpcClient({ resolve: () => address });
    const events = new Events(new RemoteEvents(rpc, "micro"));
    const payload = Buffer.alloc(500, "x");
    for (let n = 0; n < backlog; n += 1_000)
      await Promise.all(Array.from({ length: 1_000 }, () => events.publish("t", payload)));
    const memory = async () => {
      const status = await readFile(`/proc/${pid}/status`, "utf8");
      return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024;
    };
    const fast = async (group: string) => {
      const start = performance.now();
      let left = backlog;
      for await (const _ of await events.consume("t", { group, from: "earliest" })) if (--left === 0) break;
      return (1000 * backlog) / (performance.now() - start);
    };
    const slow = async () => {
      const options = { group: "slow", from: "earliest", maxUnanswered: 1000, signal: over.signal } as const;
      for await (const _ of await events.consume("t", options)) await delay(1_000, undefined, { signal: over.signal });
    };
    const alone: number[] = [];
    for (let round = 0; round < rounds; round++) alone.push(await fast(`alone-${round}`));
    const slowly = slow().catch(() => {});
    const beside = [await fast("warm-up")];
    const before = await memory();
    for (let round = 0; round < rounds; round++) beside.push(await fast(`beside-${round}`));
    const after = await memory();
    over.abort();
    await slowly;
    t.diagnostic(
      `${Math.max(...alone).toFixed()}/s alone, ${Math.max(...beside).toFixed()}/s beside; ${before.toFixed()} MiB, then ${after.toFixed()}`,
    );
    assert.ok(Math.max(...beside) >= 0.8 * Math.max(...alone), `${beside} beside, ${alone} alone`);
    assert.ok(after <= 1.2 * before, `${before} MiB, then ${after}`);
  } finally {
    over.abort();
    await rm(folder, { recursive: true, force: true });
  }
});
