import { equal, match } from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { type ServedGateway, sendRaw, serveGateway } from "@microts/testing";

const hidden = "GET /helloworld/echo?smuggled=1 HTTP/1.1\r\nHost: x\r\n\r\n";
const post = (headers: string, body = hidden) =>
  `POST /helloworld/echo HTTP/1.1\r\nHost: x\r\n${headers}\r\n\r\n${body}`;
const get = (headers: string, rest = "") => `GET /helloworld/echo HTTP/1.1\r\nHost: x\r\n${headers}\r\n\r\n${rest}`;
const chunked = (body: string) => post("Transfer-Encoding: chunked", body);

/** Each gets one 4xx and the end of its connection; what hides behind it is never run. */
const refused: Record<string, string> = {
  "CL and TE": post("Content-Length: 5\r\nTransfer-Encoding: chunked", `0\r\n\r\n${hidden}`),
  "TE and CL": post("Transfer-Encoding: chunked\r\nContent-Length: 5", `0\r\n\r\n${hidden}`),
  "CL 0 and TE": post("Content-Length: 0\r\nTransfer-Encoding: chunked", `0\r\n\r\n${hidden}`),
  "CL longer than the chunks": post("Content-Length: 500\r\nTransfer-Encoding: chunked", `0\r\n\r\n${hidden}`),
  "two different CL": post("Content-Length: 0\r\nContent-Length: 55"),
  "two equal CL": post("Content-Length: 0\r\nContent-Length: 0"),
  "a list of CL": post("Content-Length: 0, 55"),
  "a list of equal CL": post("Content-Length: 0, 0"),
  "a signed CL": post("Content-Length: +0"),
  "a negative CL": post("Content-Length: -1"),
  "a hexadecimal CL": post("Content-Length: 0x0"),
  "an octal-looking CL with text": post("Content-Length: 0o"),
  "a fractional CL": post("Content-Length: 0.0"),
  "an exponent CL": post("Content-Length: 0e1"),
  "an empty CL": post("Content-Length: "),
  "a CL beyond 64 bits": post("Content-Length: 99999999999999999999999"),
  "a quoted CL": post('Content-Length: "0"'),
  "a CL in other digits": post("Content-Length: \xd9\xa0"),
  "a CL with a space inside": post("Content-Length: 0 0"),
  "a CL with NUL": post("Content-Length: 0\0"),
  "a space before the colon of CL": post("Content-Length : 0"),
  "a tab before the colon of CL": post("Content-Length\t: 0"),
  "a space before CL": post("X: 1\r\n Content-Length: 0"),
  "a space before the first header": `POST /helloworld/echo HTTP/1.1\r\n Host: x\r\nContent-Length: 0\r\n\r\n${hidden}`,
  "a space before the colon of TE": post("Transfer-Encoding : chunked", `0\r\n\r\n${hidden}`),
  "TE of x": post("Transfer-Encoding: x", `0\r\n\r\n${hidden}`),
  "TE identity": post("Transfer-Encoding: identity\r\nContent-Length: 0"),
  "TE chunked then identity": post("Transfer-Encoding: chunked, identity", `0\r\n\r\n${hidden}`),
  "TE xchunked": post("Transfer-Encoding: xchunked", `0\r\n\r\n${hidden}`),
  "TE chunkedx": post("Transfer-Encoding: chunkedx", `0\r\n\r\n${hidden}`),
  "TE with a semicolon": post("Transfer-Encoding: chunked;foo", `0\r\n\r\n${hidden}`),
  "TE quoted": post('Transfer-Encoding: "chunked"', `0\r\n\r\n${hidden}`),
  "TE with a vertical tab": post("Transfer-Encoding: \x0bchunked", `0\r\n\r\n${hidden}`),
  "TE with NUL": post("Transfer-Encoding: chunked\0", `0\r\n\r\n${hidden}`),
  "TE twice, the last not chunked": post("Transfer-Encoding: chunked\r\nTransfer-Encoding: x", `0\r\n\r\n${hidden}`),
  "TE empty": post("Transfer-Encoding: ", `0\r\n\r\n${hidden}`),
  "TE folded": post("Transfer-Encoding:\r\n chunked", `0\r\n\r\n${hidden}`),
  "a folded header": get("X-A: 1\r\n folded"),
  "TE in HTTP/1.0 with CL": `POST /helloworld/echo HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n${hidden}`,
  "a chunk size with a sign": chunked(`+0\r\n\r\n${hidden}`),
  "a negative chunk size": chunked(`-1\r\n\r\n${hidden}`),
  "a chunk size with 0x": chunked(`0x0\r\n\r\n${hidden}`),
  "a chunk size with a space before": chunked(` 0\r\n\r\n${hidden}`),
  "a chunk size beyond 64 bits": chunked(`fffffffffffffffff\r\n${hidden}`),
  "a chunk size that isn't one": chunked(`zz\r\n${hidden}`),
  "an empty chunk size": chunked(`\r\n${hidden}`),
  "a chunk longer than it says": chunked(`1\r\nabc\r\n0\r\n\r\n${hidden}`),
  "a chunk without its end": chunked(`1\r\na0\r\n\r\n${hidden}`),
  "a chunk ending in LF": chunked(`2\r\n{}\n0\r\n\r\n${hidden}`),
  "a chunk size ending in LF": chunked(`2\n{}\r\n0\r\n\r\n${hidden}`),
  "a chunk size ending in CR": chunked(`2\r{}\r\n0\r\n\r\n${hidden}`),
  "chunk extensions without end": chunked(`0;${"a".repeat(20_000)}\r\n\r\n`),
  "a chunk extension with a bare LF": chunked(`2;a\n{}\r\n0\r\n\r\n${hidden}`),
  "a trailer that isn't one": chunked(`0\r\nbad trailer\r\n\r\n${hidden}`),
  "bare LF everywhere": "GET /helloworld/echo?smuggled=1 HTTP/1.1\nHost: x\n\n",
  "bare LF after the request line": "GET /helloworld/echo?smuggled=1 HTTP/1.1\nHost: x\r\n\r\n",
  "bare LF between headers": `GET /helloworld/echo HTTP/1.1\r\nHost: x\nX: 1\r\n\r\n${hidden}`,
  "bare CR in a header": get("X: 1\rContent-Length: 9", hidden),
  "bare CR in the request line": `GET /helloworld/echo\rX HTTP/1.1\r\nHost: x\r\n\r\n`,
  "NUL in a header": get("X: a\0b", hidden),
  "NUL in a header name": get("X\0: a", hidden),
  "NUL in the path": "GET /helloworld\0/echo?smuggled=1 HTTP/1.1\r\nHost: x\r\n\r\n",
  "a header without a colon": get("JustAName", hidden),
  "an empty header name": get(": value", hidden),
  "a header name with a space": get("X A: 1", hidden),
  "a header name with a bracket": get("X(: 1", hidden),
  "a header name beyond ASCII": get("X\xe9: 1", hidden),
  "a control character in a header": get("X: \x01", hidden),
  "no Host": `GET /helloworld/echo?smuggled=1 HTTP/1.1\r\n\r\n`,
  "two Hosts": `GET /helloworld/echo?smuggled=1 HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n`,
  "two equal Hosts": `GET /helloworld/echo?smuggled=1 HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n`,
  "two authorizations": get("Authorization: Bearer a\r\nAuthorization: Bearer b"),
  "two content types": post("Content-Type: application/json\r\nContent-Type: text/plain\r\nContent-Length: 2", "{}"),
  "two namespaces": get("Micro-Namespace: micro\r\nMicro-Namespace: acme"),
  "a body on GET": get("Content-Length: 5", "12345"),
  "a chunked body on GET": get("Transfer-Encoding: chunked", "0\r\n\r\n"),
  "an unknown version": "GET /helloworld/echo?smuggled=1 HTTP/1.9\r\nHost: x\r\n\r\n",
  "version 2 in text": "GET /helloworld/echo?smuggled=1 HTTP/2.0\r\nHost: x\r\n\r\n",
  "version 0.9": "GET /helloworld/echo?smuggled=1\r\n\r\n",
  "a lower-case version": "GET /helloworld/echo?smuggled=1 http/1.1\r\nHost: x\r\n\r\n",
  "a version with a sign": "GET /helloworld/echo?smuggled=1 HTTP/+1.1\r\nHost: x\r\n\r\n",
  "the preface of HTTP/2": "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
  "a lower-case method": "get /helloworld/echo?smuggled=1 HTTP/1.1\r\nHost: x\r\n\r\n",
  "an unknown method": "SMUGGLE /helloworld/echo?smuggled=1 HTTP/1.1\r\nHost: x\r\n\r\n",
  "spaces in the URL": "GET /helloworld/echo x?smuggled=1 HTTP/1.1\r\nHost: x\r\n\r\n",
  "two spaces before the version": "GET /helloworld/../echo?smuggled=1  HTTP/1.1\r\nHost: x\r\n\r\n",
  "a space before the method": " GET /helloworld/echo?smuggled=1 HTTP/1.1\r\nHost: x\r\n\r\n",
  "a URL of another host": "GET http://y/helloworld/echo?smuggled=1 HTTP/1.1\r\nHost: x\r\n\r\n",
  "a TLS hello": "\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03",
  "an HTTP answer": "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
  garbage: "\xff\xfe\xfd\r\n\r\n",
};

/** Each is one well-formed request, answered once. */
const handled: Record<string, string> = {
  "a chunked body": chunked("2\r\n{}\r\n0\r\n\r\n"),
  "chunks with leading zeros": chunked("0002\r\n{}\r\n000\r\n\r\n"),
  "a chunk extension": chunked("2;a=b\r\n{}\r\n0\r\n\r\n"),
  "a quoted chunk extension": chunked('2;a="b;c"\r\n{}\r\n0\r\n\r\n'),
  "trailers that name framing": chunked("2\r\n{}\r\n0\r\nX-Trailer: 1\r\n\r\n"),
  "a CL with leading zeros": post("Content-Length: 002", "{}"),
  "a CL with spaces around": post("Content-Length:   2  ", "{}"),
  "an absolute URL of this host": "GET http://x/helloworld/echo HTTP/1.1\r\nHost: x\r\n\r\n",
  "an empty header": get("X-Empty:"),
  "empty lines before the request": `\r\n\r\n${get("X: 1")}`,
  "HTTP/1.0": "GET /helloworld/echo HTTP/1.0\r\n\r\n",
};

describe("a smuggled request (GW-01)", () => {
  let served: ServedGateway;
  before(async () => {
    served = await serveGateway();
  });
  after(() => served[Symbol.asyncDispose]());

  const canary = async () => {
    const { answers } = await sendRaw(served.address, "GET /helloworld/call?name=canary HTTP/1.1\r\nHost: x\r\n\r\n", {
      answers: 1,
    });
    equal(answers[0]?.body, '{"msg":"Hello canary"}');
  };

  for (const [name, raw] of Object.entries(refused)) {
    it(`behind ${name} is never run`, async () => {
      served.backend.requests.length = 0;
      const { answers, isClosed, text } = await sendRaw(served.address, raw, { quietMs: 3000 });
      equal(answers.length, 1, text);
      match(String(answers[0]?.status), /^4\d\d$/, text);
      equal(served.backend.requests.length, 0);
      // What was well-formed and only unwanted may keep its connection.
      if (!/^Connection: keep-alive/im.test(answers[0]?.head ?? ""))
        equal(isClosed, true, "the connection is still open");
      await canary();
    });
  }

  for (const [name, raw] of Object.entries(handled)) {
    it(`is not seen in ${name}`, async () => {
      served.backend.requests.length = 0;
      const { answers, text } = await sendRaw(served.address, raw, { answers: 1 });
      equal(answers[0]?.status, 200, text);
      equal(served.backend.requests.join(), "{}");
      await canary();
    });
  }

  it("cut anywhere leaves the next request alone", async () => {
    const whole = post("Content-Length: 2\r\nX: 1", "{}");
    await Promise.all(
      Array.from({ length: whole.length - 1 }, async (_, length) => {
        const { answers } = await sendRaw(served.address, whole.slice(0, length), { quietMs: 200 });
        equal(answers.length, 0);
      }),
    );
    await canary();
  });

  it("pipelined openly is answered in its turn", async () => {
    const pipelined = ["a", "b", "c"]
      .map((name) => `GET /helloworld/call?name=${name} HTTP/1.1\r\nHost: x\r\n\r\n`)
      .join("");
    const { answers } = await sendRaw(served.address, pipelined, { answers: 3 });
    equal(answers.map(({ body }) => JSON.parse(body).msg).join(), "Hello a,Hello b,Hello c");
  });

  it("behind a good request does not disturb its answer", async () => {
    const { answers, isClosed } = await sendRaw(
      served.address,
      "GET /helloworld/wait?ms=100 HTTP/1.1\r\nHost: x\r\n\r\nGARBAGE\r\n\r\n",
    );
    equal(answers[0]?.body, '{"waited":true}');
    equal(answers.length, 1);
    equal(isClosed, true);
    await canary();
  });
});
