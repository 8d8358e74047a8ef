import { deepEqual, equal } from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { isMetadataKey, isReservedKey, metadataFrom } from "./metadata.ts";

const plain = (metadata: object) => ({ ...metadata });

describe("metadataFrom", () => {
  it("lower-cases keys and joins what was sent more than once (wire §2.3)", () => {
    deepEqual(
      plain(
        metadataFrom([
          ["Micro-Namespace", "acme"],
          ["X-Tag", ["a", "b"]],
          ["absent", undefined],
        ]),
      ),
      { "micro-namespace": "acme", "x-tag": "a, b" },
    );
  });

  it("keeps binary values in their base64 form", () => {
    deepEqual(plain(metadataFrom([["x-bin", "AAEC"]])), { "x-bin": "AAEC" });
  });

  it("leaves out what HTTP/2, gRPC or one hop own", () => {
    const names = [":path", "Content-Type", "te", "TIMEOUT", "grpc-timeout", "grpc-status", "connection", "host"];
    deepEqual(plain(metadataFrom(names.map((name) => [name, "x"] as const))), {});
  });

  it("leaves out keys that no header may have", () => {
    deepEqual(plain(metadataFrom(["", "a b", "ä", "a\n", "a:b"].map((name) => [name, "x"] as const))), {});
  });

  it("is not misled by the names of object properties", () => {
    const metadata = metadataFrom([
      ["__proto__", "x"],
      ["constructor", "y"],
    ]);
    deepEqual(Object.entries(metadata), [
      ["__proto__", "x"],
      ["constructor", "y"],
    ]);
    equal(metadataFrom([])["constructor"], undefined);
  });

  it("has only valid keys, and taking its own result changes nothing", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.string(), fc.string())), (headers) => {
        const metadata = metadataFrom(headers);
        for (const key in metadata) equal(isMetadataKey(key) && !isReservedKey(key), true, key);
        deepEqual(metadataFrom(Object.entries(metadata)), metadata);
      }),
    );
  });
});
