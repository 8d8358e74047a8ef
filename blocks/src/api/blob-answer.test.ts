import { equal } from "node:assert/strict";
import { connect } from "node:net";
import { describe, it } from "node:test";
import { untilTrue } from "../../../testing/src/until.ts";
import { Gateway } from "./index.ts";

describe("a blob that is sent", () => {
  for (const [name, leaves] of [
    ["takes nothing", false],
    ["goes away", true],
  ] as const)
    it(`is let go when its client ${name}`, async () => {
      let isOpen = false;
      const chunks = async function* () {
        isOpen = true;
        try {
          for (;;) yield Buffer.alloc(65_536);
        } finally {
          isOpen = false;
        }
      };
      await using gateway = new Gateway({
        address: "127.0.0.1:0",
        version: "test",
        resolveService: () => undefined,
        serviceNames: () => [],
        account: () => undefined,
        authorize: () => {},
        call: async () => new Uint8Array(),
        stream: chunks,
        publicBlob: async () => ({ size: 1e12, sha256: "00", contentType: "", open: async () => chunks() }),
        limits: { answerTimeoutMs: leaves ? 60_000 : 300 },
      });
      await gateway.listen();
      const [host, port] = gateway.address.split(":");
      const client = connect(Number(port), host);
      try {
        client.on("error", () => {}).pause();
        client.write("GET /-/blobs/acme/film HTTP/1.1\r\nHost: x\r\n\r\n");
        await untilTrue(() => isOpen);
        if (leaves) client.destroy();
        await untilTrue(() => !isOpen && gateway.running === 0, 20_000);
        equal(isOpen, false);
      } finally {
        client.destroy();
      }
    });
});
