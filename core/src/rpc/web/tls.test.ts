import { equal, match } from "node:assert/strict";
import { once } from "node:events";
import { connect as connectHttp2 } from "node:http2";
import { Agent, request as httpsRequest } from "node:https";
import { after, before, describe, it } from "node:test";
import { connect as connectTls } from "node:tls";
import { type Certificate, makeCertificate } from "../../../../testing/src/certificate.ts";
import { depMessages, depPaths, type ServedDep, serveDep } from "../../../../testing/src/dep.ts";
import { frameMessage } from "../../../../testing/src/grpc-frames.ts";

const body = frameMessage(depMessages.encode.call({ name: "Jane" }));
const headers = { "content-type": "application/grpc-web+proto" };

describe("gRPC-Web over TLS", () => {
  let certificate: Certificate;
  let served: ServedDep;
  before(async () => {
    certificate = await makeCertificate();
    const { cert, key } = certificate;
    served = await serveDep({}, undefined, { tls: { cert, key } });
  });
  after(async () => {
    await served?.[Symbol.asyncDispose]();
    await certificate?.[Symbol.asyncDispose]();
  });

  it("is served to a client that agrees on http/1.1", async () => {
    const request = httpsRequest({
      host: "127.0.0.1",
      port: served.server.port,
      method: "POST",
      path: depPaths.call,
      headers,
      ca: certificate.cert,
      agent: new Agent({ ALPNProtocols: ["http/1.1"] }),
    });
    request.end(body);
    const [response] = await once(request, "response");
    match(String(Buffer.concat(await Array.fromAsync(response))), /Hello Jane.*grpc-status: 0/s);
    equal(response.socket.alpnProtocol, "http/1.1");
  });

  it("is served to a client that agrees on h2", async () => {
    const session = connectHttp2(`https://127.0.0.1:${served.server.port}`, { ca: certificate.cert });
    const stream = session.request({ ":method": "POST", ":path": depPaths.call, ...headers });
    stream.end(body);
    match(String(Buffer.concat(await stream.toArray())), /Hello Jane.*grpc-status: 0/s);
    equal(session.alpnProtocol, "h2");
    session.close();
  });

  it("is served to a client that agrees on nothing", async () => {
    const socket = connectTls({ host: "127.0.0.1", port: served.server.port, ca: certificate.cert });
    const lines = [`POST ${depPaths.call} HTTP/1.1`, "Host: x", "Connection: close", `Content-Length: ${body.length}`];
    socket.write(`${lines.join("\r\n")}\r\nContent-Type: application/grpc-web\r\n\r\n`);
    socket.write(body);
    match(String(Buffer.concat(await socket.toArray())), /^HTTP\/1\.1 200 .*Hello Jane.*grpc-status: 0/s);
  });
});
