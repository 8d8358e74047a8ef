// Every flood at once against a server in a process of its own: its memory stays, and an honest client is served (GW-13).
import { ok } from "node:assert/strict";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { callText } from "../../../../testing/src/calls.ts";
import { Child } from "../../../../testing/src/child.ts";
import { type Flood, floods } from "../../../../testing/src/http2-floods.ts";
import { RawHttp2 } from "../../../../testing/src/raw-http2.ts";
import { frame, grpcFields, literalBlock, RawFlag, RawType } from "../../../../testing/src/raw-http2-frames.ts";
import { Connections } from "../index.ts";

const attackMs = process.env["MICRO_NIGHTLY"] === undefined ? 2000 : 20_000;

const program = `
  const { listen } = await import("${new URL("../index.ts", import.meta.url)}");
  const server = await listen(async (call) => {
    if (call.path === "/a.B/Hang") { await new Promise((resolve) => call.signal.addEventListener("abort", resolve)); return; }
    const message = await call.read();
    await call.send(call.path === "/test.Test/Memory" ? Buffer.from(String(process.memoryUsage.rss())) : message);
  }, { address: "127.0.0.1:0" });
  console.log("on " + server.address + ";");`;

/** 16 KB of headers that stand for 48 MB, and a header block that never ends. */
const entered = Buffer.concat([Buffer.of(0x40), literalBlock(["bomb", "b".repeat(4000)]).subarray(1)]);
const block = Buffer.concat([literalBlock(grpcFields("/a.B/Hang")), entered, Buffer.alloc(12_000, 0x80 | 62)]);
const more: readonly Pick<Flood, "first" | "blow">[] = [
  { blow: (n) => frame(RawType.headers, RawFlag.endHeaders | RawFlag.endStream, 2 * n + 1, block) },
  {
    first: frame(RawType.headers, 0, 1, block.subarray(0, 100)),
    blow: () => frame(RawType.continuation, 0, 1, Buffer.alloc(1, 0x80)),
  },
];

/** What a flood sends on one connection, made before: the attackers share this process with the honest client. */
function arsenal({ first, blow }: Pick<Flood, "first" | "blow">): Buffer[] {
  const volley = (from: number) => Buffer.concat(Array.from({ length: 100 }, (_, n) => blow(from + n)));
  const all = Array.from({ length: 25 }, (_, n) => volley(100 * n));
  return first === undefined ? all : [first, ...all];
}

/** Attacks on one connection after the other until the time is over; tells on how many. */
async function attack(address: string, volleys: readonly Buffer[], untilMs: number): Promise<number> {
  let connections = 0;
  for (; performance.now() < untilMs; connections++) {
    using peer = await RawHttp2.connect(address);
    for (const volley of volleys) if (!(await peer.sendSlowly(volley)) || peer.isEnded) break;
  }
  return connections;
}

describe("a server under attack", () => {
  it("keeps its memory, and answers an honest client", async (context) => {
    await using server = new Child("--input-type=module", ["-e", program], {
      cwd: fileURLToPath(new URL(".", import.meta.url)),
      env: {},
    });
    const address = (await server.saying(/on (.*);/))[1] as string;
    await using connections = new Connections();
    const residentBytes = async () => Number(await callText(connections, address, { path: "/test.Test/Memory" }));
    const arsenals = [...floods, ...more].map(arsenal);
    const round = async () => {
      const untilMs = performance.now() + attackMs;
      const attacks = Promise.all(arsenals.map((volleys) => attack(address, volleys, untilMs)));
      let [answered, mostBytes] = [0, 0];
      for (; performance.now() < untilMs; answered++) {
        await callText(connections, address);
        if (answered % 10 === 0) mostBytes = Math.max(mostBytes, await residentBytes());
      }
      const count = (await attacks).reduce((sum, each) => sum + each, 0);
      return { answered, mostBytes, count };
    };
    // Any load makes V8 take a larger heap, and keep it.
    await round();
    const before = await residentBytes();
    const { answered, mostBytes, count } = await round();
    const grown = mostBytes - before;
    context.diagnostic(`${count} attackers' connections, ${answered} calls answered, ${grown >> 20} MiB more at most`);
    ok(count > floods.length, "the attackers were not sent away");
    ok(answered > 0, "nobody was answered");
    ok(grown < 64 * 1024 * 1024, `${grown} bytes more`);
  });
});
