import { deepEqual, equal } from "node:assert/strict";
import type { IncomingMessage } from "node:http";
import { describe, it } from "node:test";
import { mayTravel, metadataOf } from "./call-metadata.ts";
import { Peers } from "./peer.ts";

const sender = { namespace: "micro", authorization: undefined, address: "10.1.1.1", isTrusted: false };

describe("headers of a client (GW-14)", () => {
  for (const name of [
    "micro-namespace",
    "micro-from-service",
    "micro_namespace",
    "x-forwarded-for",
    "x_forwarded_for",
    "x-forwarded-host",
    "x-forwarded-user",
    "x-user-id",
    "x_user_id",
    "x-real-ip",
    "forwarded",
    "via",
    "cookie",
    "remote",
    "connection",
    "keep-alive",
    "proxy-authorization",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "content-length",
    "content-type",
    "grpc-timeout",
    "grpc-encoding",
    "timeout",
    "x-content-type",
    "blob-bin",
    ":path",
    "host",
    "sec-fetch-site",
  ]) {
    it(`${name} does not travel`, () => equal(mayTravel(name), false));
  }

  for (const name of ["accept", "accept-language", "x-request-id", "traceparent", "x-custom", "referer"]) {
    it(`${name} travels`, () => equal(mayTravel(name), true));
  }

  it("that Connection names, and values that aren't ASCII, do not travel", () => {
    const headers = { connection: "close, X-Hop", "x-hop": "1", "x-odd": "\xe9", "x-ok": "1" };
    deepEqual(
      { ...metadataOf(headers, sender) },
      { "x-ok": "1", "x-forwarded-for": "10.1.1.1", "micro-namespace": "micro" },
    );
  });

  it("X-Forwarded-* is passed on when the proxy is trusted, and the address is the platform's", () => {
    const headers = { "x-forwarded-host": "example.com", "x-forwarded-for": "evil", "x-forwarded-user": "root" };
    deepEqual(
      { ...metadataOf(headers, { ...sender, isTrusted: true, authorization: "Bearer x" }) },
      {
        "x-forwarded-host": "example.com",
        "x-forwarded-for": "10.1.1.1",
        "micro-namespace": "micro",
        authorization: "Bearer x",
      },
    );
  });
});

describe("the client's address", () => {
  const from = (peer: string, forwarded?: string) =>
    ({
      socket: { remoteAddress: peer },
      headers: { "x-forwarded-for": forwarded, "x-forwarded-proto": "https" },
    }) as unknown as IncomingMessage;
  const peers = new Peers(["10.0.0.0/8", "::1"]);
  for (const [request, expected, scheme] of [
    [from("203.0.113.9", "1.1.1.1"), "203.0.113.9", "http"],
    [from("10.0.0.1", "1.1.1.1"), "1.1.1.1", "https"],
    [from("::ffff:10.0.0.1", "6.6.6.6, 1.1.1.1, 10.2.2.2"), "1.1.1.1", "https"],
    [from("10.0.0.1", "nonsense"), "10.0.0.1", "https"],
    [from("10.0.0.1"), "10.0.0.1", "https"],
  ] as const) {
    it(`is ${expected} behind ${request.socket.remoteAddress} with ${request.headers["x-forwarded-for"]}`, () => {
      equal(peers.clientAddress(request), expected);
      equal(peers.scheme(request), scheme);
    });
  }
});
