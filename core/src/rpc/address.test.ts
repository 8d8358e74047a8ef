import { deepEqual, equal, throws } from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { formatAddress, parseAddress } from "./address.ts";

describe("parseAddress", () => {
  for (const [text, host, port, tls] of [
    ["127.0.0.1:8081", "127.0.0.1", 8081, false],
    [":8081", "127.0.0.1", 8081, false],
    ["localhost:0", "localhost", 0, false],
    ["[::1]:8081", "::1", 8081, false],
    ["my_host-1.example.com:80", "my_host-1.example.com", 80, false],
    ["http://localhost:8081/", "localhost", 8081, false],
    ["http://localhost", "localhost", 80, false],
    ["http://localhost:443", "localhost", 443, false],
    ["proxy.example.com:443", "proxy.example.com", 443, true],
    ["proxy.example.com", "proxy.example.com", 443, true],
    ["https://proxy.example.com:8443", "proxy.example.com", 8443, true],
    ["https://proxy.example.com", "proxy.example.com", 443, true],
    ["[2001:db8::1]", "2001:db8::1", 443, true],
  ] as const) {
    it(`reads ${text} (wire §0.1)`, () => deepEqual(parseAddress(text), { host, port, tls }));
  }

  for (const text of [
    "",
    "http://",
    "a:",
    "a:b",
    "a:65536",
    "a:123456",
    "a:-1",
    "::1:80",
    "[::1",
    "a b:1",
    "a:1:2",
    "ftp://a:1",
    "a/b:1",
    "user@host:1",
    "host?x:1",
    "host#x:1",
    "host\n:1",
  ]) {
    it(`refuses ${JSON.stringify(text)}, showing an address`, () =>
      throws(() => parseAddress(text), { code: 400, detail: /is not an address: expected host:port, such as/ }));
  }

  it("reads what formatAddress writes", () => {
    fc.assert(
      fc.property(fc.oneof(fc.ipV4(), fc.ipV6(), fc.domain()), fc.integer({ min: 0, max: 65_535 }), (host, port) => {
        const { host: read, port: readPort } = parseAddress(formatAddress(host, port));
        equal(read, host);
        equal(readPort, port);
      }),
    );
  });
});
