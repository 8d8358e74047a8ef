import { equal, match, ok } from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { type ServedGateway, sendRaw, serveGateway } from "@microts/testing";

const maxBodyBytes = 64 * 1024;
const raw = (line: string, headers: string, body = "") => `${line} HTTP/1.1\r\nHost: x\r\n${headers}\r\n${body}`;

describe("a limit", () => {
  let served: ServedGateway;
  before(async () => {
    served = await serveGateway({ limits: { maxBodyBytes, headersTimeoutMs: 500, requestTimeoutMs: 1000 } });
  });
  after(() => served[Symbol.asyncDispose]());

  const status = async (text: string) => {
    const { answers, isClosed } = await sendRaw(served.address, text, { answers: 1 });
    const [answer] = answers;
    if (answer !== undefined && answer.status >= 400)
      equal(JSON.parse(answer.body).code, answer.status === 408 ? 408 : answer.status);
    return { status: answer?.status, isClosed, body: answer?.body ?? "" };
  };
  const chunk = (size: number) => `${size.toString(16)}\r\n${" ".repeat(size)}\r\n`;
  const json = "Content-Type: application/json\r\n";

  for (const [name, request, expected] of [
    ["16 KiB and more of headers (GW-03)", raw("GET /helloworld/echo", `X: ${"a".repeat(16 * 1024)}\r\n`), 431],
    [
      "101 headers (GW-03)",
      raw("GET /helloworld/echo", Array.from({ length: 100 }, (_, n) => `X-${n}: 1\r\n`).join("")),
      431,
    ],
    ["a URL of 8 KiB and one (GW-03)", raw(`GET /${"a".repeat(8 * 1024)}`, ""), 414],
    ["a URL of 8 KiB and one, query included", raw(`GET /helloworld/echo?a=${"a".repeat(8 * 1024)}`, ""), 414],
    ["a URL of 20 KiB", raw(`GET /${"a".repeat(20 * 1024)}`, ""), 414],
    [
      "a body one byte too long by its length (GW-03)",
      raw("POST /helloworld/echo", `${json}Content-Length: ${maxBodyBytes + 1}\r\n`, " ".repeat(maxBodyBytes + 1)),
      413,
    ],
    ["a body that says it is huge", raw("POST /helloworld/echo", `${json}Content-Length: 99999999999\r\n`), 413],
    [
      "a chunked body too long (GW-03)",
      raw(
        "POST /helloworld/echo",
        `${json}Transfer-Encoding: chunked\r\n`,
        `${chunk(maxBodyBytes)}${chunk(1)}0\r\n\r\n`,
      ),
      413,
    ],
    [
      "a compressed body (GW-03)",
      raw("POST /helloworld/echo", `${json}Content-Encoding: gzip\r\nContent-Length: 3\r\n`, "abc"),
      415,
    ],
    ["headers that don't arrive", "GET /helloworld/echo HTTP/1.1\r\nHost: x\r\n", 408],
    ["a body that doesn't arrive", raw("POST /helloworld/echo", `${json}Content-Length: 10\r\n`, "{"), 408],
  ] as const) {
    it(`refuses ${name} with ${expected}`, async () => {
      served.backend.calls.length = 0;
      equal((await status(request)).status, expected);
      equal(served.backend.calls.length, 0);
    });
  }

  for (const [name, request] of [
    ["99 headers", raw("GET /helloworld/echo", Array.from({ length: 99 }, (_, n) => `X-${n}: 1\r\n`).join(""))],
    ["a URL of 8 KiB", raw(`GET /helloworld/echo?a=${"a".repeat(8 * 1024 - 19)}`, "")],
    [
      "a body as long as allowed",
      raw("POST /helloworld/echo", `${json}Content-Length: ${maxBodyBytes}\r\n`, `${" ".repeat(maxBodyBytes - 2)}{}`),
    ],
    [
      "a chunked body as long as allowed",
      raw(
        "POST /helloworld/echo",
        `${json}Transfer-Encoding: chunked\r\n`,
        `${chunk(maxBodyBytes - 2)}2\r\n{}\r\n0\r\n\r\n`,
      ),
    ],
  ] as const) {
    it(`lets ${name} pass`, async () => equal((await status(request)).status, 200));
  }

  it("refuses a body that waits for 100 Continue before it is sent", async () => {
    const expect = (length: number) =>
      raw("POST /helloworld/echo", `${json}Expect: 100-continue\r\nContent-Length: ${length}\r\n`);
    equal((await status(expect(maxBodyBytes + 1))).status, 413);
    // Told to go on, and never does.
    match((await sendRaw(served.address, expect(2))).text, /^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 408 /);
  });

  it("answers a sender that goes on after it was refused, then closes", async () => {
    const { answers, isClosed } = await sendRaw(
      served.address,
      raw("POST /helloworld/echo", `${json}Content-Length: 8000000\r\n`, " ".repeat(8_000_000)),
    );
    equal(answers[0]?.status, 413);
    equal(answers[0]?.headers.connection, "close");
    equal(isClosed, true);
  });

  it("of connections closes those above it", async () => {
    await using small = await serveGateway({ limits: { maxConnections: 2 } });
    const request = "GET /helloworld/wait?ms=300 HTTP/1.1\r\nHost: x\r\n\r\n";
    const all = await Promise.all(Array.from({ length: 5 }, () => sendRaw(small.address, request, { answers: 1 })));
    equal(all.filter(({ answers }) => answers[0]?.status === 200).length, 2);
  });
});

describe("a JSON bomb (GW-04)", () => {
  let served: ServedGateway;
  before(async () => {
    served = await serveGateway();
  });
  after(() => served[Symbol.asyncDispose]());

  const post = async (path: string, body: string | Uint8Array<ArrayBuffer>) => {
    const answer = await fetch(`http://${served.address}${path}`, {
      method: "POST",
      body,
      headers: { "content-type": "application/json" },
    });
    return { status: answer.status, text: await answer.text() };
  };
  const deep = "[".repeat(200_000) + "]".repeat(200_000);

  for (const [name, body, expected] of [
    ["arrays 200,000 deep", `{"a":${deep}}`, 400],
    ["arrays 200,000 deep at the top", deep, 400],
    ["objects 100,000 deep", `${'{"a":'.repeat(100_000)}1${"}".repeat(100_000)}`, 400],
    ["arrays that never end", "[".repeat(1_000_000), 400],
    ["a number of a million digits", `{"a":${"9".repeat(1_000_000)}}`, 200],
    ["a million keys", `{${Array.from({ length: 200_000 }, (_, n) => `"${n}":1`).join()}}`, 200],
    ["a key twice", '{"a":1,"a":2}', 200],
    ["a lone surrogate, escaped", '{"a":"\\ud800"}', 200],
  ] as const) {
    it(`of ${name} is a ${expected} beside a query`, async () =>
      equal((await post("/helloworld/echo?b=1", body)).status, expected));
  }

  it("that a service chokes on is a 400 and no 500", async () => {
    await using strict = await serveGateway({
      call: async (_namespace, _service, _endpoint, request) =>
        Buffer.from(JSON.stringify(JSON.parse(Buffer.from(request).toString()))),
    });
    for (const body of [deep, `{"a":${deep}}`, "{", '{"a":1,}']) {
      const answer = await fetch(`http://${strict.address}/helloworld/echo`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body,
      });
      equal(answer.status === 400 || (answer.status === 200 && body.includes("[[")), true, String(answer.status));
      ok((await answer.text()).length > 0);
    }
  });

  it("of invalid UTF-8 is a 400", async () =>
    equal((await post("/helloworld/echo", new Uint8Array([0x22, 0xff, 0x22]))).status, 400));

  it("leaves the gateway well", async () =>
    equal((await post("/helloworld/call", '{"name":"Jane"}')).text, '{"msg":"Hello Jane"}'));
});

describe("a name that pollutes (GW-05)", () => {
  it("is data in query, header and body", async () => {
    await using served = await serveGateway();
    const url = `http://${served.address}/helloworld/echo`;
    const headers = { "content-type": "application/json", constructor: "x" };
    const sent: [string, RequestInit][] = [
      [`${url}?__proto__[polluted]=1`, {}],
      [`${url}?constructor.prototype.polluted=1`, {}],
      [`${url}?a=1`, { method: "POST", headers, body: '{"__proto__":{"polluted":1}}' }],
      [`${url}?__proto__.polluted=1`, { method: "POST", headers, body: '{"__proto__":{"b":1}}' }],
      [url, { method: "POST", body: new URLSearchParams([["__proto__[polluted]", "1"]]) }],
    ];
    for (const [request, init] of sent) {
      const answer = await fetch(request, init);
      equal(answer.status, 200);
      match(await answer.text(), /polluted/);
    }
    const raw = "GET /helloworld/who HTTP/1.1\r\nHost: x\r\n__proto__: polluted\r\nconstructor: polluted\r\n\r\n";
    equal((await sendRaw(served.address, raw, { answers: 1 })).answers[0]?.status, 200);
    equal(({} as { polluted?: unknown }).polluted, undefined);
  });
});
