import { equal } from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { type ServedGateway, sendRaw, serveGateway } from "@microts/testing";

const encoded = (text: string) => Array.from(text, (char) => `%${char.charCodeAt(0).toString(16)}`).join("");

/** Ways to write a path that some proxy or router, somewhere, reads as /helloworld/admin. */
function variants(): string[] {
  const separators = [
    "//",
    "/./",
    "/x/../",
    "/%2e/",
    "/x/%2e%2e/",
    "/x/%2E%2E/",
    "/x/.%2e/",
    "/x/%2e./",
    "%2f",
    "%2F",
    "%252f",
    "\\",
    "%5c",
    "%255c",
    "/%00/",
    "/;/",
    "/;x=1/",
    ";/",
    ";x/",
    "%3b/",
    "/%20/",
    "/%09/",
    "/%0a/",
    "/%0d/",
    "/%c0%af/",
    "/%e0%80%af/",
    "%c0%af",
    "%ef%bc%8f",
    "%e2%88%95",
    "/.;/",
    "/..;/",
    "/x/..;/",
    "/%23/",
    "/%3f/",
  ];
  const names = [
    "admin",
    "Admin",
    "ADMIN",
    "aDMIN",
    "%61dmin",
    "%41dmin",
    "admi%6e",
    encoded("admin"),
    "%2561dmin",
    "admin%00",
    "admin%20",
    "admin%09",
    "admin.",
    "admin..",
    ".admin",
    "admin;",
    "admin;x",
    "admin%3b",
    "admin/",
    "admin//",
    "admin/.",
    "admin/..",
    "admin/./",
    "admin%2f",
    "admin%2e",
    "admin?",
    "admin?x=1",
    "admin#",
    "admin%23",
    "-admin",
    "admin-",
    "a-dmin",
    "admin%0a",
    "admin%ff",
    "admin%c2%ad",
    "%uff41dmin",
    "ａdmin",
    "admin.json",
    "admin~",
    "admin*",
    "admin,",
    "admin:",
    "admin@x",
    "admin!",
    "admin$",
    "admin&",
    "admin+",
    "admin=",
    "admin'",
    "admin()",
  ];
  const prefixes = [
    "/helloworld/",
    "/./helloworld/",
    "//helloworld/",
    "/x/../helloworld/",
    "/%68elloworld/",
    "/helloworld/helloworld/",
    "/Helloworld/",
    "/helloworld./",
    "/helloworld;/",
    "/helloworld%20/",
  ];
  return [
    ...separators.map((separator) => `/helloworld${separator}admin`),
    ...separators.map((separator) => `${separator.startsWith("/") ? "" : "/"}${separator}helloworld/admin`),
    ...names.map((name) => `/helloworld/${name}`),
    ...prefixes.map((prefix) => `${prefix}admin`),
    "http://x/helloworld/admin",
    "http://x//helloworld/admin",
    "HTTP://X/helloworld/%61dmin",
    "https://x/helloworld/admin",
    "http://y/helloworld/admin",
    "http://x@y/helloworld/admin",
    "x/helloworld/admin",
    "helloworld/admin",
    "*",
  ];
}

describe("a denied endpoint (GW-16)", () => {
  let served: ServedGateway;
  before(async () => {
    served = await serveGateway();
    const resource = { type: "service", name: "helloworld", endpoint: "Helloworld.Admin" };
    served.rules.push({ id: "deny", scope: "", resource, access: "denied", priority: 1 });
  });
  after(() => served[Symbol.asyncDispose]());

  const all = [...new Set(variants())];

  it("is tried in more than a hundred ways", () => equal(all.length > 100, true, String(all.length)));

  for (const path of all) {
    it(`stays denied as ${path}`, async () => {
      for (const method of ["GET", "POST", "HEAD"]) {
        const request = `${method} ${Buffer.from(path).toString("latin1")} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n`;
        const { answers, text } = await sendRaw(
          served.address,
          request.replace("Content-Length: 0\r\n", method === "POST" ? "Content-Length: 0\r\n" : ""),
          {
            answers: 1,
            isHead: method === "HEAD",
          },
        );
        const status = answers[0]?.status ?? Number(/^HTTP\/1\.1 (\d+)/.exec(text)?.[1]);
        equal([400, 401, 404].includes(status), true, `${method} ${path} was answered ${status}`);
        equal(text.includes("for admins"), false);
      }
      equal(served.backend.calls.includes("Helloworld.Admin"), false);
    });
  }

  for (const method of [
    "TRACE",
    "CONNECT",
    "PROPFIND",
    "SEARCH",
    "PURGE",
    "LOCK",
    "LINK",
    "MKCOL",
    "NOTIFY",
    "REPORT",
  ]) {
    it(`stays denied to ${method}, which is a 405`, async () => {
      const { answers } = await sendRaw(
        served.address,
        `${method} ${method === "CONNECT" ? "x:1" : "/helloworld/admin"} HTTP/1.1\r\nHost: x\r\n\r\n`,
        { answers: 1 },
      );
      equal(answers[0]?.status, 405);
      equal(answers[0]?.headers.allow, "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
    });
  }

  it("stays denied whatever header names another path or method", async () => {
    for (const header of [
      "X-Original-URL",
      "X-Rewrite-URL",
      "X-HTTP-Method-Override",
      "X-Forwarded-Path",
      "X-Method-Override",
    ]) {
      const value = header.includes("Method") ? "OPTIONS" : "/helloworld/call";
      const { answers } = await sendRaw(
        served.address,
        `GET /helloworld/admin HTTP/1.1\r\nHost: x\r\n${header}: ${value}\r\n\r\n`,
        { answers: 1 },
      );
      equal(answers[0]?.status, 401);
    }
  });
});
