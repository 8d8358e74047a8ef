import { deepEqual, equal, match, throws } from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { jsonProblem, parseJson } from "./json.ts";
import { mergeIntoBody } from "./merge.ts";
import { boundaryOf, partsOf } from "./multipart.ts";
import { type RequestParts, requestBytes } from "./request.ts";

const made = (parts: Partial<Omit<RequestParts, "body">> & { body?: string | Buffer }) =>
  Buffer.from(
    requestBytes({
      query: parts.query ?? "",
      contentType: parts.contentType,
      schema: parts.schema,
      body: parts.body === undefined ? undefined : Buffer.from(parts.body),
    }),
  ).toString();

describe("a request", () => {
  for (const [what, parts, expected] of [
    ["nothing", {}, "{}"],
    ["an empty body", { body: "", contentType: "application/json" }, "{}"],
    ["a query", { query: "a=1" }, '{"a":1}'],
    [
      "a JSON body, byte for byte",
      { body: ' {"b" : 1e0,\n"a":1} ', contentType: "application/json" },
      ' {"b" : 1e0,\n"a":1} ',
    ],
    ["a body without a content type", { body: '{"a":1}' }, '{"a":1}'],
    ["JSON with a charset", { body: "{}", contentType: "application/json; charset=UTF-8" }, "{}"],
    ["JSON of a family", { body: "[]", contentType: "application/merge-patch+json" }, "[]"],
    [
      "a body that isn't JSON, for the service to refuse",
      { body: "nonsense", contentType: "application/json" },
      "nonsense",
    ],
    ["query and body", { query: "a=1&b=2", body: '{ "b":3.0 }', contentType: "application/json" }, '{"a":1, "b":3.0 }'],
    ["query and an empty object", { query: "a=1", body: "{ }" }, '{"a":1 }'],
    [
      "query and body merged",
      { query: "a.x=1&c=1", body: '{"a":{"y":12345678901234567890}}' },
      '{"a":{"x":1,"y":12345678901234567890},"c":1}',
    ],
    ["a form", { body: "a=1&b=x+y", contentType: "application/x-www-form-urlencoded" }, '{"a":"1","b":"x y"}'],
    [
      "a form and a query",
      { query: "a=1&c=3", body: "a=2", contentType: "application/x-www-form-urlencoded" },
      '{"a":"1,2","c":"3"}',
    ],
    ["JSON that curl calls a form", { body: '{"a":1}', contentType: "application/x-www-form-urlencoded" }, '{"a":1}'],
  ] as const) {
    it(`of ${what} becomes ${expected}`, () => equal(made(parts), expected));
  }

  it("of a multipart form has fields as text and files in base64", () => {
    const body =
      '--xx\r\nContent-Disposition: form-data; name="name"\r\n\r\nJané\r\n--xx\r\nContent-Disposition: form-data; name="photo"; filename="a%22.png"\r\nContent-Type: image/png\r\n\r\n\0\xff\r\n--xx--\r\n';
    equal(
      made({
        body: Buffer.from(body.replace("Jané", "Jane"), "latin1"),
        contentType: "multipart/form-data; boundary=xx",
      }),
      '{"name":"Jane","photo":"AP8="}',
    );
  });

  for (const contentType of [
    "text/plain",
    "application/xml",
    "application/octet-stream",
    "application/json; charset=utf-16",
    "image/png",
    "json",
  ]) {
    it(`of ${contentType} is a 415`, () => throws(() => made({ body: "{}", contentType }), { code: 415 }));
  }

  for (const [what, bytes] of [
    ["an overlong encoding", [0x22, 0xc0, 0xaf, 0x22]],
    ["a lone surrogate", [0x22, 0xed, 0xa0, 0x80, 0x22]],
    ["a cut sequence", [0x22, 0xe2, 0x82]],
  ] as const) {
    it(`with ${what} is a 400 (GW-04)`, () => throws(() => made({ body: Buffer.from(bytes) }), { code: 400 }));
  }
});

describe("a multipart body", () => {
  const parts = (body: string) => [...partsOf(Buffer.from(body), "xx")];
  for (const body of [
    "",
    "xx",
    "--yy\r\n",
    "--xx",
    "--xx\r\n",
    "--xxz",
    "--xx\r\nContent-Disposition: form-data\r\n\r\n\r\n--xx--",
    '--xx\r\nContent-Disposition: form-data; name="a"\r\n\r\nno end',
    '--xx\r\nContent-Disposition: attachment; name="a"\r\n\r\n\r\n--xx--',
    `--xx\r\nX: ${"x".repeat(9000)}\r\n\r\n\r\n--xx--`,
    `${'--xx\r\nContent-Disposition: form-data; name="a"\r\n\r\n\r\n'.repeat(1001)}--xx--`,
  ]) {
    it(`${JSON.stringify(body.slice(0, 60))} is a 400`, () => throws(() => parts(body), { code: 400 }));
  }
  it("may be empty", () => deepEqual(parts("--xx--\r\n"), []));
  it("needs a boundary", () => {
    equal(boundaryOf('multipart/form-data; boundary="a b"'), "a b");
    for (const type of [
      "multipart/form-data",
      "multipart/form-data; boundary=",
      `multipart/form-data; boundary=${"a".repeat(71)}`,
    ]) {
      throws(() => boundaryOf(type), { code: 400 });
    }
  });
});

describe("what is wrong with JSON", () => {
  for (const [text, position] of [
    ["", 0],
    ["{", 1],
    ["{a}", 1],
    ['{"a"}', 4],
    ['{"a":}', 5],
    ['{"a":1,}', 7],
    ['{"a":1}}', 7],
    ["[1 2]", 3],
    ["[1,]", 3],
    ["01", 1],
    ["nul", 0],
    ['"a\nb"', 0],
    ["[", 1],
    ["]", 0],
    ['{"a":1]', 6],
  ] as const) {
    it(`${JSON.stringify(text)} is at position ${position}`, () =>
      match(jsonProblem(text) ?? "", new RegExp(`^at position ${position} `)));
  }

  it("is found exactly when JSON.parse refuses (GW-06)", () => {
    const piece = fc.constantFrom(
      "{",
      "}",
      "[",
      "]",
      ",",
      ":",
      '"a"',
      "1",
      "-0.5e3",
      "true",
      "null",
      " ",
      "\n",
      "0",
      '"\\u00e9"',
      "x",
    );
    const text = fc.oneof(
      fc.array(piece, { maxLength: 12 }).map((all) => all.join("")),
      fc.json(),
    );
    fc.assert(
      fc.property(text, (given) => {
        let isJson = true;
        try {
          JSON.parse(given);
        } catch {
          isJson = false;
        }
        equal(jsonProblem(given) === undefined, isJson, given);
      }),
      { numRuns: 2000 },
    );
  });

  it("does not quote the text", () =>
    throws(
      () => parseJson('{"password":hunter2}', "The body"),
      (error: Error) => !error.message.includes("hunter2"),
    ));

  it("is depth beyond 100 levels, brackets in strings aside (GW-04)", () => {
    const deep = "[".repeat(200_000) + "]".repeat(200_000);
    throws(() => parseJson(deep, "The body"), { code: 400 });
    parseJson(JSON.stringify({ a: deep }), "The body");
    parseJson("[".repeat(100) + "]".repeat(100), "The body");
    throws(() => parseJson("[".repeat(101) + "]".repeat(101), "The body"), { code: 400 });
  });
});

describe("a query and a body (GW-05)", () => {
  for (const [fields, body, expected] of [
    [{ a: 1 }, '{"__proto__":{"polluted":1}}', '{"a":1,"__proto__":{"polluted":1}}'],
    [JSON.parse('{"__proto__":{"polluted":1}}'), "{}", '{"__proto__":{"polluted":1}}'],
    [JSON.parse('{"__proto__":{"polluted":1}}'), '{"__proto__":{"b":1}}', '{"__proto__":{"polluted":1,"b":1}}'],
  ] as const) {
    it(`${JSON.stringify(fields)} and ${body} pollute nothing`, () => {
      equal(Buffer.from(mergeIntoBody(fields, Buffer.from(body))).toString(), expected);
      equal(({} as { polluted?: unknown }).polluted, undefined);
    });
  }

  for (const body of ["[1]", '"text"', "1", "null", "nonsense", "{"]) {
    it(`is a 400 when the body is ${body}`, () =>
      throws(() => mergeIntoBody({ a: 1 }, Buffer.from(body)), { code: 400 }));
  }
});
