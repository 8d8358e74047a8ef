// A subscriber that stops reading, beside one that doesn't: what that costs the server, in a process of its own (BR-04).
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createInterface } from "node:readline";
import { describe, it } from "node:test";
import { RpcClient } from "@microts/core/rpc";
import { Broker, RemoteBroker } from "./index.ts";

const program = `
  import { Broker, brokerMethods } from "@microts/blocks/broker";
  import { EmbeddedBroker } from "@microts/driver-embedded";
  import { serveMethods, testAdmin } from "@microts/testing";
  const driver = new EmbeddedBroker();
  const served = await serveMethods("broker", brokerMethods(new Broker(driver)), { account: testAdmin });
  console.log(served.address);
  process.stdin.on("data", () => console.log(JSON.stringify({ dropped: driver.dropped, subscriptions: driver.subscriptions })));
`;

const messageBytes = 64 * 1024;

/** Resident memory of a process in MiB. Linux only. */
async function residentMiB(pid: number): Promise<number> {
  const [, kib] = /^VmRSS:\s+(\d+) kB$/m.exec(await readFile(`/proc/${pid}/status`, "utf8")) ?? [];
  return Number(kib) / 1024;
}

class Server implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;

  constructor() {
    this.#child = spawn(process.execPath, ["--input-type=module", "--eval", program], {
      cwd: import.meta.dirname,
      stdio: ["pipe", "pipe", "inherit"],
    });
    assert.ok(this.#child.stdout);
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  async line(): Promise<string> {
    return (await this.#lines.next()).value;
  }

  async counts(): Promise<{ readonly dropped: number; readonly subscriptions: number }> {
    this.#child.stdin?.write("?\n");
    return JSON.parse(await this.line());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill();
    await once(this.#child, "close");
  }
}

describe("a subscriber that stops reading", { skip: process.platform !== "linux" && "needs /proc" }, () => {
  it("costs the server at most 64 MiB, and the others nothing (BR-04)", { timeout: 280_000 }, async () => {
    await using server = new Server();
    const address = await server.line();
    await using rpc = new RpcClient({ resolve: () => address });
    await using stuck = new RpcClient({ resolve: () => address });
    const broker = new Broker(new RemoteBroker(rpc, "micro"));
    const ending = new AbortController();
    const { signal } = ending;
    let received = 0;
    const reader = await broker.subscribe("big", { signal });
    const reading = (async () => {
      for await (const { header } of reader) assert.equal(header["n"], String(received++));
    })();
    let sent = 0;
    const publish = async (count: number) => {
      const body = new Uint8Array(messageBytes);
      for (const until = sent + count; sent < until; sent++)
        await broker.publish("big", body, { header: { n: String(sent) } });
    };
    // The heap has grown to what this traffic needs.
    await publish(700);
    const before = await residentMiB(server.pid);
    await new Broker(new RemoteBroker(stuck, "micro")).subscribe("big", { signal });
    await publish(1_300);
    const grown = (await residentMiB(server.pid)) - before;
    while (received < sent) await new Promise((resolve) => setImmediate(resolve));
    const { dropped } = await server.counts();
    ending.abort();
    await reading;
    assert.ok(dropped > 500, `${dropped} messages were dropped`);
    assert.ok(grown <= 64, `the server has grown by ${grown.toFixed(0)} MiB`);
  });
});
