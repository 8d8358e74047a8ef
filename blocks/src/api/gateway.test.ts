import { deepEqual, doesNotMatch, equal, match, ok } from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { type ServedGateway, sendRaw, serveGateway } from "@microts/testing";

interface Scenario {
  readonly name: string;
  readonly request: string;
  readonly init?: RequestInit;
  readonly as?: "admin" | "jane" | "acme";
  readonly status: number;
  readonly body?: string | RegExp;
  readonly headers?: Readonly<Record<string, string | null>>;
  /** What must not be in the answer, its headers included. */
  readonly never?: RegExp;
}

const post = (body: string, contentType = "application/json", headers: Record<string, string> = {}): RequestInit => ({
  method: "POST",
  body,
  headers: { "content-type": contentType, ...headers },
});
const stack = /\bat [^"]*:\d+:\d+|node:internal|\.ts\b|TypeError/;

const scenarios: Scenario[] = [
  {
    name: "the version at the root",
    request: "/",
    status: 200,
    body: '{"version":"1.2.3"}',
    headers: { "content-type": "application/json" },
  },
  { name: "an empty favicon", request: "/favicon.ico", status: 200, body: "" },
  { name: "a GET with a query", request: "/helloworld/call?name=Jane", status: 200, body: '{"msg":"Hello Jane"}' },
  { name: "a path of one part as Call", request: "/helloworld?name=Jane", status: 200, body: '{"msg":"Hello Jane"}' },
  { name: "a trailing slash", request: "/helloworld/call/", status: 200, body: '{"msg":"Hello "}' },
  {
    name: "a POST, byte for byte both ways",
    request: "/helloworld/echo",
    init: post(' {"b":1.0,"a":12345678901234567890} '),
    status: 200,
    body: ' {"b":1.0,"a":12345678901234567890} ',
    headers: { "content-type": "application/json" },
  },
  {
    name: "a PUT",
    request: "/helloworld/echo",
    init: { ...post('{"a":1}'), method: "PUT" },
    status: 200,
    body: '{"a":1}',
  },
  {
    name: "a PATCH",
    request: "/helloworld/echo",
    init: { ...post('{"a":1}'), method: "PATCH" },
    status: 200,
    body: '{"a":1}',
  },
  {
    name: "a DELETE without a body",
    request: "/helloworld/echo?id=7",
    init: { method: "DELETE" },
    status: 200,
    body: '{"id":7}',
  },
  {
    name: "a POST without a body as {}",
    request: "/helloworld/echo",
    init: { method: "POST" },
    status: 200,
    body: "{}",
  },
  {
    name: "a form",
    request: "/helloworld/echo",
    init: post("a=1&b=x", "application/x-www-form-urlencoded"),
    status: 200,
    body: '{"a":"1","b":"x"}',
  },
  {
    name: "query and body together",
    request: "/helloworld/echo?a=1",
    init: post('{"b":2}'),
    status: 200,
    body: '{"a":1,"b":2}',
  },
  {
    name: "the types of the schema",
    request: "/helloworld/typed?name=123&age=5&tags=1",
    status: 200,
    body: '{"name":"123","age":5,"tags":["1"]}',
  },
  {
    name: "an empty reply as 204",
    request: "/helloworld/void",
    status: 204,
    body: "",
    headers: { "content-length": null },
  },
  {
    name: "a HEAD without a body",
    request: "/helloworld/call?name=Jane",
    init: { method: "HEAD" },
    status: 200,
    body: "",
    headers: { "content-length": "20" },
  },
  {
    name: "non-ASCII",
    request: "/helloworld/call?name=J%C3%A1n%20%F0%9F%98%80",
    status: 200,
    body: '{"msg":"Hello Ján 😀"}',
  },
  {
    name: "CORS for anybody without credentials",
    request: "/helloworld/call",
    init: { headers: { origin: "https://evil.io" } },
    status: 200,
    headers: { "access-control-allow-origin": "*", "access-control-allow-credentials": null },
    never: /evil/,
  },
  {
    name: "a preflight",
    request: "/helloworld/call",
    init: { method: "OPTIONS", headers: { origin: "https://evil.io" } },
    status: 204,
    headers: { "access-control-allow-origin": "*", "access-control-allow-credentials": null },
    never: /evil/,
  },

  {
    name: "an unknown service",
    request: "/helloword/call",
    status: 404,
    body: /"helloword\\" not found in namespace \\"micro\\".*"helloworld\\".*micro services/,
  },
  {
    name: "an unknown service with nothing near",
    request: "/zzzzzzzzzz",
    status: 404,
    body: /micro services/,
    never: /Did you mean/,
  },
  {
    name: "an unknown endpoint, with those there are",
    request: "/helloworld/nope",
    status: 404,
    body: /no endpoint \\"Helloworld.Nope\\". It has Helloworld.Call, Helloworld.Echo/,
  },
  {
    name: "an unknown endpoint without those the caller may not call",
    request: "/helloworld/nope",
    status: 404,
    never: /Helloworld\.Admin/,
  },
  {
    name: "an endpoint that rules deny to nobody",
    request: "/helloworld/admin",
    status: 401,
    headers: { "www-authenticate": "Bearer" },
    never: /for admins/,
  },
  {
    name: "an endpoint that rules deny to an account",
    request: "/helloworld/admin",
    as: "jane",
    status: 403,
    never: /for admins/,
  },
  { name: "an endpoint that rules grant", request: "/helloworld/admin", as: "admin", status: 200, body: /for admins/ },
  { name: "a rule around an encoded path", request: "/helloworld/%61dmin", status: 401, never: /for admins/ },
  { name: "a rule around an absolute URL", request: "/helloworld/Admin/", status: 401, never: /for admins/ },
  {
    name: "a bad token",
    request: "/helloworld/call",
    init: { headers: { authorization: "Bearer nonsense" } },
    status: 401,
    never: stack,
  },
  { name: "a bad scheme", request: "/helloworld/call", init: { headers: { authorization: "Digest x" } }, status: 401 },
  {
    name: "a namespace of others",
    request: "/helloworld/who",
    as: "jane",
    init: { headers: { "micro-namespace": "acme" } },
    status: 403,
    body: /isn't a member/,
  },
  {
    name: "a namespace of others, from a tenant's admin",
    request: "/helloworld/who",
    as: "acme",
    init: { headers: { "micro-namespace": "micro" } },
    status: 403,
  },
  {
    name: "a namespace for an admin of micro",
    request: "/helloworld/who",
    as: "admin",
    init: { headers: { "micro-namespace": "acme" } },
    status: 200,
    body: /"namespace":"acme"/,
  },
  {
    name: "a namespace for nobody in particular",
    request: "/helloworld/who",
    init: { headers: { "micro-namespace": "acme" } },
    status: 200,
    body: /"namespace":"acme"/,
  },
  {
    name: "a namespace that has no such service",
    request: "/helloworld/who",
    init: { headers: { "micro-namespace": "empty" } },
    status: 404,
    body: /namespace \\"empty\\"/,
  },
  {
    name: "the account's own namespace",
    request: "/helloworld/who",
    as: "acme",
    status: 200,
    body: /"issuer":"acme","namespace":"acme"/,
  },
  {
    name: "a malformed namespace",
    request: "/helloworld/who",
    init: { headers: { "micro-namespace": "../micro" } },
    status: 400,
  },
  {
    name: "no identity by header (GW-14)",
    request: "/helloworld/who",
    init: { headers: { "x-user-id": "root", "micro-account": "root", "x-forwarded-for": "6.6.6.6", cookie: "a=b" } },
    status: 200,
    body: /"account":null/,
    never: /root|6\.6\.6\.6|a=b/,
  },

  {
    name: "bad JSON, with its place",
    request: "/helloworld/call",
    init: post('{"name": nobody}'),
    status: 400,
    body: /at position 9 \(line 1, column 10\)/,
    never: stack,
  },
  {
    name: "bad JSON beside a query",
    request: "/helloworld/call?a=1",
    init: post("{"),
    status: 400,
    body: /at position 1/,
  },
  {
    name: "a content type nobody reads",
    request: "/helloworld/call",
    init: post("<a/>", "application/xml"),
    status: 415,
    body: /application\/json/,
  },
  {
    name: "a compressed body",
    request: "/helloworld/call",
    init: post("{}", "application/json", { "content-encoding": "gzip" }),
    status: 415,
  },
  {
    name: "a method nobody answers",
    request: "/helloworld/call",
    init: { method: "PROPFIND" },
    status: 405,
    headers: { allow: "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS" },
  },
  {
    name: "an error of the service",
    request: "/helloworld/fail",
    init: post('{"code":409}'),
    status: 409,
    body: '{"id":"helloworld","code":409,"detail":"failed with 409","status":"Conflict"}',
  },
  {
    name: "a service's failure, without a stack (GW-20)",
    request: "/helloworld/crash",
    status: 500,
    never: stack,
  },
  {
    name: "a deadline behind the gateway as 504",
    request: "/helloworld/fail",
    init: post('{"code":408}'),
    status: 504,
    body: /"code":504.*"Gateway Timeout"/,
  },
  { name: "a service that is full", request: "/helloworld/fail", init: post('{"code":503}'), status: 503 },
];

describe("the gateway answers", () => {
  let served: ServedGateway;
  before(async () => {
    served = await serveGateway();
    const resource = { type: "service", name: "helloworld", endpoint: "Helloworld.Admin" };
    served.rules.push({ id: "deny", scope: "", resource, access: "denied", priority: 1 });
    served.rules.push({ id: "admins", scope: "admin", resource, access: "granted", priority: 2 });
  });
  after(() => served[Symbol.asyncDispose]());

  for (const { name, request, init = {}, as, status, body, headers = {}, never } of scenarios) {
    it(name, async () => {
      const sent = new Headers(init.headers);
      if (as !== undefined) sent.set("authorization", `Bearer ${served.tokens[as]}`);
      const answer = await fetch(`http://${served.address}${request}`, { ...init, headers: sent });
      const text = await answer.text();
      equal(answer.status, status, text);
      if (typeof body === "string") equal(text, body);
      else if (body !== undefined) match(text, body);
      for (const [key, value] of Object.entries(headers)) equal(answer.headers.get(key), value, key);
      if (never !== undefined) doesNotMatch(text + JSON.stringify([...answer.headers]), never);
      if (status >= 400) checkError(text, status);
    });
  }

  it("a multipart form", async () => {
    const form = new FormData();
    form.set("name", "Jane");
    form.set("photo", new Blob([new Uint8Array([0, 255])]), "a.png");
    const answer = await fetch(`http://${served.address}/helloworld/typed`, { method: "POST", body: form });
    deepEqual(await answer.json(), { name: "Jane", photo: "AP8=" });
  });

  it("a cookie of its own page, and not one of another", async () => {
    const cookie = `micro-token=${served.tokens.jane}`;
    const asWhom = async (headers: Record<string, string>) => {
      const answer = await fetch(`http://${served.address}/helloworld/who`, { headers: { cookie, ...headers } });
      return ((await answer.json()) as { account: string | null }).account;
    };
    equal(await asWhom({}), "jane");
    equal(await asWhom({ origin: `http://${served.address}` }), "jane");
    equal(await asWhom({ origin: "https://evil.io" }), null);
    equal(await asWhom({ "sec-fetch-site": "cross-site" }), null);
  });

  it("an upgrade with 501, and CONNECT and TRACE with 405", async () => {
    const upgrade = "GET /helloworld/count HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
    const answers = await Promise.all(
      [
        upgrade,
        "CONNECT a.example:443 HTTP/1.1\r\nHost: a.example\r\n\r\n",
        "TRACE / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
      ].map((raw) => sendRaw(served.address, raw)),
    );
    deepEqual(
      answers.map(({ answers: [first], isClosed }) => [first?.status, isClosed]),
      [
        [501, true],
        [405, true],
        [405, true],
      ],
    );
    match(answers[0]?.text ?? "", /text\/event-stream/);
  });

  it("an h2c upgrade by ignoring it", async () => {
    const raw =
      "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings, close\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n";
    equal((await sendRaw(served.address, raw)).answers[0]?.status, 200);
  });

  it("with a line in the access log, without the query and not to be forged", async () => {
    served.accessLines.length = 0;
    const agent = 'evil" 200 0 "-" "x';
    await fetch(`http://${served.address}/helloworld/call?name=secret`, {
      headers: {
        "user-agent": agent,
        authorization: `Bearer ${served.tokens.jane}`,
        referer: "https://a.example/b?token=secret",
      },
    });
    equal(served.accessLines.length, 1);
    match(
      served.accessLines[0] ?? "",
      /^127\.0\.0\.1 - jane \[\d\d\/\w{3}\/\d{4}:\d\d:\d\d:\d\d \+0000\] "GET \/helloworld\/call HTTP\/1\.1" 200 22 "https:\/\/a\.example\/b" "evil\\" 200 0 \\"-\\" \\"x"$/,
    );
    doesNotMatch(served.accessLines[0] ?? "", /secret/);
  });
});

describe("a gateway with a block list, listed origins and a failing part", () => {
  it("turns a blocked account away in every namespace", async () => {
    await using served = await serveGateway({ blocked: (id, namespace) => id === "bob" && namespace === "acme" });
    const status = async (headers: Record<string, string>) =>
      (await fetch(`http://${served.address}/helloworld/call`, { headers })).status;
    equal(await status({ authorization: `Bearer ${served.tokens.acme}` }), 401);
    equal(await status({ authorization: `Bearer ${served.tokens.jane}` }), 200);
    equal(await status({}), 200);
  });

  it("gives listed origins credentials", async () => {
    await using served = await serveGateway({ corsOrigins: ["https://app.example.com"] });
    const answer = await fetch(`http://${served.address}/helloworld/nope`, {
      headers: { origin: "https://app.example.com" },
    });
    equal(answer.headers.get("access-control-allow-origin"), "https://app.example.com");
    equal(answer.headers.get("access-control-allow-credentials"), "true");
    equal(answer.headers.get("vary"), "Origin");
  });

  it("answers 500 with a reference and no stack when a part of it throws, and stays up (GW-20)", async () => {
    const boom = () => {
      throw new TypeError("secret detail of ours");
    };
    for (const broken of [
      { resolveService: boom },
      { account: boom },
      { authorize: boom },
      { call: boom },
      { stream: boom },
    ]) {
      await using served = await serveGateway(broken);
      const path = "stream" in broken ? "/helloworld/count" : "/helloworld/call";
      const answer = await fetch(`http://${served.address}${path}`, {
        headers: { authorization: `Bearer ${served.tokens.jane}` },
      });
      const text = await answer.text();
      equal(answer.status, 500);
      doesNotMatch(text, /secret|TypeError|\bat /);
      const reference = /[0-9a-f-]{36}/.exec(text)?.[0] ?? "none";
      ok(served.errors.some((line) => line.includes(reference) && line.includes("secret detail")));
      equal((await fetch(`http://${served.address}/`)).status, 200);
    }
  });
});

function checkError(text: string, status: number): void {
  const { id, code, detail, status: phrase, ...rest } = JSON.parse(text);
  deepEqual([typeof id, code, typeof detail, typeof phrase, rest], ["string", status, "string", "string", {}]);
}
