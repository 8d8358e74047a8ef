// Our server as its bytes show it to callers of gRPC-Web, over both versions of HTTP.
import { deepEqual, equal, match, ok } from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { gunzipSync, gzipSync } from "node:zlib";
import { depMessages, depPaths, type ServedDep, serveDep } from "../../../../testing/src/dep.ts";
import { openHttp1, openHttp2, type WebCall, type WebTransport, webCall } from "../../../../testing/src/grpc-web.ts";
import { MicroError } from "../../errors.ts";

const { encode, decode } = depMessages;
const page = "https://app.example.com";

for (const transport of ["HTTP/1.1", "HTTP/2"] as const satisfies readonly WebTransport[]) {
  describe(`gRPC-Web over ${transport}`, () => {
    let served: ServedDep;
    let aborted = Promise.withResolvers<unknown>();
    before(async () => {
      served = await serveDep(
        {
          call: async ({ name }, { metadata, signal }) => {
            if (name === "fail") throw MicroError.forbidden("dep", "nö\n");
            if (name === "metadata") return { msg: JSON.stringify(metadata) };
            if (name === "wait")
              await new Promise((_, reject) =>
                signal.addEventListener("abort", () => {
                  aborted.resolve(signal.reason);
                  reject(signal.reason);
                }),
              );
            return { msg: `Hello ${name}` };
          },
          stream: async function* ({ count }) {
            for (let n = 1n; n <= count; n++) yield { count: n };
            if (count === 2n) throw MicroError.conflict("dep", "half way");
          },
        },
        undefined,
        { web: { origins: [page] } },
      );
    });
    after(() => served[Symbol.asyncDispose]());

    const at = () => [
      { name: "direct", address: served.server.address },
      { name: "through a proxy", address: served.proxy.address },
    ];
    const call = (over: Partial<WebCall>, address = served.server.address) =>
      webCall(transport, address, { path: depPaths.call, ...over });

    for (const contentType of ["application/grpc-web", "application/grpc-web+proto", "application/grpc-web-text"]) {
      it(`answers a unary call in ${contentType} with a message and trailers in the body (direct and proxied)`, async () => {
        for (const { name, address } of at()) {
          const answer = await call({ contentType, messages: [encode.call({ name: "Jane" })] }, address);
          equal(answer.status, 200, name);
          const codec = contentType.includes("+") ? "" : "+proto";
          equal(answer.headers["content-type"], `${contentType}${codec}`);
          deepEqual(
            answer.messages.map((bytes) => decode.call(bytes).msg),
            ["Hello Jane"],
          );
          deepEqual(answer.trailers, { "grpc-status": "0" });
          equal(answer.headers["grpc-status"], undefined);
        }
      });

      it(`streams from the server in ${contentType}, and fails in the trailers`, async () => {
        for (const { address } of at()) {
          const messages = [encode.stream({ count: 2n })];
          const answer = await call({ path: depPaths.stream, contentType, messages }, address);
          deepEqual(
            answer.messages.map((bytes) => decode.stream(bytes).count),
            [1n, 2n],
          );
          equal(answer.trailers?.["grpc-status"], "6");
          equal(JSON.parse(decodeURIComponent(answer.trailers?.["grpc-message"] ?? "")).detail, "half way");
          ok(answer.trailers?.["grpc-status-details-bin"]);
        }
      });
    }

    it("takes many messages, in a text cut anywhere", async () => {
      const frames = ["a", "bc", "def"].map((text) => {
        const message = encode.upload({ data: Buffer.from(text) });
        return Buffer.concat([Buffer.from([0, 0, 0, 0, message.length]), message]).toString("base64");
      });
      const body = frames
        .join("")
        .split("")
        .map((character) => Buffer.from(character));
      for (const { address } of at()) {
        const answer = await call({ path: depPaths.upload, contentType: "application/grpc-web-text", body }, address);
        equal(decode.upload(answer.messages[0] as Buffer).id, "abcdef");
      }
    });

    it("answers in JSON what is asked in JSON", async () => {
      const messages = [Buffer.from(JSON.stringify({ name: "Jane" }))];
      const answer = await call({ contentType: "application/grpc-web+json", messages });
      equal(answer.headers["content-type"], "application/grpc-web+json");
      equal(String(answer.messages), '{"msg":"Hello Jane"}');
    });

    it("answers in the form that Accept wants, when it wants one of gRPC-Web's", async () => {
      const messages = [encode.call({ name: "Jane" })];
      const text = await call({ messages, headers: { accept: "application/grpc-web-text" } });
      equal(text.headers["content-type"], "application/grpc-web-text+proto");
      equal(decode.call(text.messages[0] as Buffer).msg, "Hello Jane");
      const any = await call({ messages, headers: { accept: "*/*" } });
      equal(any.headers["content-type"], "application/grpc-web+proto");
    });

    it("refuses an unknown codec with status 12, and text that isn't base64 with 13", async () => {
      const messages = [encode.call({ name: "Jane" })];
      const codec = await call({ contentType: "application/grpc-web+thrift", messages });
      equal(codec.headers["grpc-status"], "12");
      const broken = await call({ contentType: "application/grpc-web-text", body: [Buffer.from("AAAA!AAA")] });
      equal(broken.headers["grpc-status"], "13");
      match(decodeURIComponent(broken.headers["grpc-message"] ?? ""), /isn't base64/);
    });

    it("refuses frames that only a server sends, and a body that ends inside a message", async () => {
      const trailers = await call({ body: [Buffer.from([0x80, 0, 0, 0, 0])] });
      equal(trailers.headers["grpc-status"], "13");
      const cut = await call({ body: [Buffer.from([0, 0, 0, 0, 9, 1])] });
      equal(cut.headers["grpc-status"], "13");
    });

    it("gives a failure before any message in the headers, with Micro's error as gRPC has it", async () => {
      for (const { address } of at()) {
        const answer = await call({ messages: [encode.call({ name: "fail" })] }, address);
        equal(answer.status, 200);
        equal(answer.headers["grpc-status"], "7");
        equal(answer.body.length, 0);
        equal(JSON.parse(decodeURIComponent(answer.headers["grpc-message"] ?? "")).detail, "nö\n");
        ok(answer.headers["grpc-status-details-bin"]);
      }
    });

    it("hands over metadata, and none of what is the browser's own", async () => {
      for (const { address } of at()) {
        const answer = await call(
          {
            messages: [encode.call({ name: "metadata" })],
            headers: {
              "x-mark": "1",
              "micro-namespace": "acme",
              "data-bin": "AAE",
              cookie: "micro-token=secret",
              accept: "*/*",
              "sec-fetch-site": "same-origin",
              "x-user-agent": "grpc-web-javascript/0.1",
              "grpc-timeout": "5S",
            },
          },
          address,
        );
        deepEqual(JSON.parse(decode.call(answer.messages[0] as Buffer).msg), {
          "x-mark": "1",
          "micro-namespace": "acme",
          "data-bin": "AAE",
          "x-user-agent": "grpc-web-javascript/0.1",
        });
      }
    });

    it("reads compressed messages, and compresses nothing that wasn't asked for", async () => {
      const body = gzipSync(encode.call({ name: "Jane" }));
      const answer = await call({
        body: [Buffer.from([1, 0, 0, 0, body.length]), body],
        headers: { "grpc-encoding": "gzip", "grpc-accept-encoding": "gzip" },
      });
      const [flag] = answer.flags;
      const [message] = answer.messages as [Buffer];
      equal(decode.call(flag === 1 ? gunzipSync(message) : message).msg, "Hello Jane");
    });

    it("refuses a message over the limit with status 8 before its bytes have come", async () => {
      const answer = await call({ body: [Buffer.from([0, 2, 0, 0, 1])] });
      equal(answer.headers["grpc-status"], "8");
    });

    it("takes and gives a message larger than the window", async () => {
      const name = "x".repeat(4 * 1024 * 1024);
      for (const contentType of ["application/grpc-web", "application/grpc-web-text"]) {
        const answer = await call({ contentType, messages: [encode.call({ name })] });
        equal(decode.call(answer.messages[0] as Buffer).msg.length, name.length + 6);
      }
    });

    it("ends a call at its deadline with status 4", async () => {
      aborted = Promise.withResolvers();
      const answer = await call({ messages: [encode.call({ name: "wait" })], headers: { "grpc-timeout": "50m" } });
      equal(answer.headers["grpc-status"], "4");
      equal(((await aborted.promise) as Error).name, "TimeoutError");
    });

    it("cancels the call when the browser goes, through a proxy too", async () => {
      for (const { address } of at()) {
        aborted = Promise.withResolvers();
        const open = transport === "HTTP/1.1" ? openHttp1 : openHttp2;
        const { request, close } = open(address, { path: depPaths.call });
        request.on("error", () => {});
        const message = encode.call({ name: "wait" });
        request.end(Buffer.concat([Buffer.from([0, 0, 0, 0, message.length]), message]), () => setTimeout(close, 50));
        equal(((await aborted.promise) as Error).name, "AbortError");
      }
    });

    it("lets pages of a listed origin call with any metadata, and read what comes back", async () => {
      const preflight = await call({
        method: "OPTIONS",
        headers: {
          origin: page,
          "access-control-request-method": "POST",
          "access-control-request-headers": "content-type,x-grpc-web,x-mark,te,bad name",
        },
      });
      equal(preflight.status, 204);
      equal(preflight.headers["access-control-allow-origin"], page);
      equal(preflight.headers["access-control-allow-methods"], "POST");
      equal(preflight.headers["access-control-allow-credentials"], undefined);
      const allowed = preflight.headers["access-control-allow-headers"]?.split(", ") ?? [];
      for (const name of ["x-grpc-web", "x-user-agent", "grpc-timeout", "authorization", "micro-namespace", "x-mark"])
        ok(allowed.includes(name), name);
      ok(!allowed.includes("te") && !allowed.includes("bad name"));
      const answer = await call({ messages: [encode.call({ name: "Jane" })], headers: { origin: page } });
      equal(answer.headers["access-control-allow-origin"], page);
      match(
        answer.headers["access-control-expose-headers"] ?? "",
        /grpc-status, grpc-message, grpc-status-details-bin/,
      );
      equal(answer.headers.vary, "origin");
    });

    for (const origin of ["https://app.example.com.evil.com", "http://app.example.com", "null", "https://evil.com"]) {
      it(`tells pages of ${origin} nothing, and says where they would be let in`, async () => {
        const headers = { origin, "access-control-request-method": "POST" };
        const preflight = await call({ method: "OPTIONS", headers });
        equal(preflight.status, 403);
        equal(preflight.headers["access-control-allow-origin"], undefined);
        equal(preflight.headers.vary, "origin");
        match(String(preflight.body), /MICRO_PROXY_CORS_ORIGINS/);
        const answer = await call({ messages: [encode.call({ name: "Jane" })], headers: { origin } });
        equal(answer.headers["access-control-allow-origin"], undefined);
      });
    }

    it("says in HTTP what is wrong with a request that isn't a call", async () => {
      const get = await call({ method: "GET" });
      equal(get.status, 405);
      equal(get.headers.allow, "POST");
      match(String(get.body), /made with POST, not "GET"/);
      const form = await call({ contentType: "application/x-www-form-urlencoded" });
      equal(form.status, 415);
      match(String(form.body), /application\/x-www-form-urlencoded/);
      const head = await call({ method: "HEAD" });
      equal(head.status, 405);
    });

    it("serves no browser when it is told so", async () => {
      await using closed = await serveDep({}, undefined, { web: false });
      const messages = [encode.call({ name: "Jane" })];
      const answer = await call({ messages }, closed.server.address);
      equal(answer.status, 415);
      match(String(answer.body), /doesn't take gRPC-Web/);
      const headers = { origin: page, "access-control-request-method": "POST" };
      const preflight = await call({ method: "OPTIONS", headers }, closed.server.address);
      equal(preflight.status, 405);
    });
  });
}
