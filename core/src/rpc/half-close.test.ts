// The end of a call's requests goes out whatever waits on its connection: it takes none of the window (RFC 9113 §6.9).
import { equal } from "node:assert/strict";
import { describe, it } from "node:test";
import { serveProxy } from "../../../testing/src/dep.ts";
import { Connections, listen } from "./index.ts";

const start = { contentType: "application/grpc", metadata: {} };
const windowBytes = 65_535;

describe("a half-close behind another call that waits for the connection's window", () => {
  for (const way of ["straight", "through our proxy"] as const) {
    it(`reaches the server, ${way}`, { timeout: 280_000 }, async () => {
      const unread = Promise.withResolvers<void>();
      await using server = await listen(
        async (call) => {
          if (call.path === "/a.B/Stalled") await unread.promise;
          else equal(await call.read(), undefined);
        },
        { address: "127.0.0.1:0", limits: { connectionWindowBytes: windowBytes } },
      );
      await using proxy = way === "straight" ? undefined : await serveProxy(server.address);
      await using connections = new Connections({ maxConnectionsPerNode: 1 });
      const { address } = proxy ?? server;
      const open = (path: string) =>
        connections.open(address, { ...start, path, deadline: new Date(Date.now() + 5000) }, undefined);
      const stalled = open("/a.B/Stalled");
      const full = stalled.send(Buffer.alloc(4 * windowBytes));
      // One after the other: behind the proxy the first of them may pass before the window is used up.
      for (let n = 0; n < 20; n++) {
        const empty = open("/a.B/Empty");
        empty.end();
        equal((await empty.status).code, 0);
      }
      unread.resolve();
      stalled.cancel();
      await full.catch(() => {});
    });
  }
});
