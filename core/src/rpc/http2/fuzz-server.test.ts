// Random and mutated frames into a server's connections, with the calls that come of them.
import { deepEqual } from "node:assert/strict";
import { describe, it } from "node:test";
import { fuzzPaths } from "../../../../testing/src/frame-fuzz.ts";
import { fuzzInputs, fuzzSeed, runFuzz } from "../../../../testing/src/fuzz-run.ts";
import { MemorySocket } from "../../../../testing/src/memory-socket.ts";
import { silent } from "../../log.ts";
import { Acceptor } from "../acceptor.ts";
import { Requests } from "../requests.ts";
import type { CallHandler } from "../transport.ts";
import { defaultLimits } from "./limits.ts";

const handler: CallHandler = async (call) => {
  const [echo, collect, hang, fails, gzip] = fuzzPaths;
  if (call.path === fails) throw new Error("thrown on purpose");
  if (call.path === gzip) call.compress(true);
  if (call.path === hang) await new Promise((resolve) => call.signal.addEventListener("abort", resolve));
  let bytes = 0;
  for await (const message of call.requests) {
    bytes += message.length;
    if (call.path === echo || call.path === gzip) await call.send(message);
  }
  if (call.path === collect) await call.send(Buffer.from(String(bytes)));
};

describe("a server's connection, fed anything,", () => {
  it(`never fails by itself, hangs, or leaves something behind: ${fuzzInputs} conversations of seed ${fuzzSeed}`, async () => {
    const acceptor = new Acceptor({
      handler,
      requests: new Requests(1000, {}),
      // Small, so that they are reached.
      limits: { ...defaultLimits, maxConcurrentStreams: 5, streamWindowBytes: 2000, maxHeaderListBytes: 2000 },
      keepalive: { afterMs: 60_000, timeoutMs: 20_000, withoutCalls: true, minIntervalMs: 0 },
      log: silent,
    });
    await runFuzz(() => {
      const socket = new MemorySocket();
      acceptor.accept(socket.asSocket);
      return { socket };
    });
    deepEqual(acceptor.load, { connections: 0, calls: 0 });
  });
});
