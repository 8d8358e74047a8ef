import { deepEqual, equal, throws } from "node:assert/strict";
import { describe, it } from "node:test";
import { Cors } from "./cors.ts";
import { authorizationOf } from "./credentials.ts";

const listed = "https://app.example.com";
const tricks = [
  "null",
  "*",
  "",
  "https://app.example.com.evil.io",
  "https://evil-app.example.com",
  "https://evilapp.example.com",
  "https://app.example.com:444",
  "https://app.example.com:443",
  "http://app.example.com",
  "https://app.example.com/",
  "https://APP.example.com",
  "https://app.example.com@evil.io",
  "https://evil.io#https://app.example.com",
  "https://evil.io?https://app.example.com",
  "https://example.com",
  "https://x.app.example.com",
  "https://app_example.com",
  "https://appXexample.com",
  "file://",
  "chrome-extension://abcdef",
  "http://localhost",
  "http://127.0.0.1",
  "http://[::1]",
  "http://0.0.0.0:8080",
  "https://app.example.com, https://evil.io",
  "https://evil.io, https://app.example.com",
  "https://app.example.com\u0000",
  "ftp://app.example.com",
  "//app.example.com",
  "app.example.com",
  "http://gateway:8080.evil.io",
  "https://gateway:8080",
  "http://gateway",
  "http://gateway:8081",
];

const named = (headers: readonly string[], name: string) => headers[headers.indexOf(name) + 1];

describe("CORS (GW-15)", () => {
  const cors = new Cors([listed]);
  for (const origin of tricks) {
    it(`gives ${JSON.stringify(origin)} no credentials and doesn't reflect it`, () => {
      for (const headers of [cors.headers(origin), cors.preflight(origin), new Cors().headers(origin)]) {
        equal(named(headers, "Access-Control-Allow-Origin"), "*");
        equal(headers.includes("Access-Control-Allow-Credentials"), false);
      }
      equal(named(cors.headers(origin), "Vary"), "Origin");
    });

    it(`ignores the cookie of ${JSON.stringify(origin)}`, () => {
      const headers = { cookie: "micro-token=abc", host: "gateway:8080", origin };
      equal(authorizationOf(headers, "http", cors), undefined);
    });
  }

  it("gives a listed origin credentials and says that answers vary", () => {
    deepEqual(cors.headers(listed), [
      "Access-Control-Allow-Origin",
      listed,
      "Access-Control-Allow-Credentials",
      "true",
      "Vary",
      "Origin",
    ]);
  });

  for (const origin of [
    "*",
    "null",
    "app.example.com",
    "https://app.example.com/",
    "https://*.example.com/x",
    "file://",
  ]) {
    it(`refuses ${origin} in its list`, () => throws(() => new Cors([origin]), { code: 400 }));
  }
});

describe("the token of a request", () => {
  const cors = new Cors([listed]);
  const own = { cookie: "a=b; micro-token=abc; c=d", host: "gateway:8080" };
  for (const [what, headers, expected] of [
    ["a header", { authorization: "Bearer x" }, "Bearer x"],
    ["a header before a cookie", { ...own, authorization: "Bearer x" }, "Bearer x"],
    ["a cookie without an origin", own, "Bearer abc"],
    ["a cookie of its own page", { ...own, origin: "http://gateway:8080" }, "Bearer abc"],
    ["a cookie of a listed page", { ...own, origin: listed }, "Bearer abc"],
    ["a cookie typed into the address bar", { ...own, "sec-fetch-site": "none" }, "Bearer abc"],
    ["a cookie of the same origin", { ...own, "sec-fetch-site": "same-origin" }, "Bearer abc"],
    ["a cookie of another site", { ...own, "sec-fetch-site": "cross-site" }, undefined],
    ["a cookie of a sibling", { ...own, "sec-fetch-site": "same-site" }, undefined],
    ["a cookie after a foreign link", { ...own, referer: "https://evil.io/page" }, undefined],
    ["a cookie after an own link", { ...own, referer: "http://gateway:8080/page" }, "Bearer abc"],
    ["a planted second cookie", { ...own, cookie: "micro-token=evil; micro-token=abc" }, undefined],
    ["a malformed cookie", { ...own, cookie: "micro-token=a b" }, undefined],
    ["another cookie", { ...own, cookie: "xmicro-token=a" }, undefined],
    ["nothing", {}, undefined],
  ] as const) {
    it(`is ${expected} for ${what}`, () => equal(authorizationOf(headers, "http", cors), expected));
  }
});
