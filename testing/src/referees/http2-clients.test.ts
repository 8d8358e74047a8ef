// HTTP/2 clients that know nothing of gRPC make calls at our server: curl, and nghttp and h2load of nghttp2.
import { deepEqual, equal, match } from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { promisify } from "node:util";
import { decodeMessage, encodeMessage } from "@microts/core/codec";
import { TestService } from "../../gen/interop_pb.ts";
import { serveTestService } from "../interop/test-service.ts";
import { openWay, type Served, type Way } from "../interop/ways.ts";
import { installed } from "./referee.ts";

const curl = installed("curl", "curl");
const nghttp = installed("nghttp", "nghttp2-client");
const h2load = installed("h2load", "nghttp2-client");
const { unaryCall } = TestService.method;
const path = `/${TestService.typeName}/${unaryCall.name}`;
const headers = ["-H", "content-type: application/grpc", "-H", "te: trailers"];
/** More than the window that a client has at first. */
const responseSize = 100_000;
const run = promisify(execFile);

for (const way of ["straight", "through our proxy", "over TLS"] satisfies Way[]) {
  describe(`HTTP/2 clients calling our server, ${way}`, { concurrency: 2, timeout: 280_000 }, () => {
    let served: Served;
    let folder: string;
    let request: string;
    let url: string;
    let trust: string[];
    before(async () => {
      served = await openWay(way, serveTestService);
      folder = await mkdtemp(join(tmpdir(), "micro-clients-"));
      request = join(folder, "request");
      await writeFile(request, framed(encodeMessage(unaryCall.input, { responseSize }, "proto")));
      url = served.certificate === undefined ? `http://${served.address}` : `https://localhost:${served.port}`;
      trust = served.certificate === undefined ? [] : ["--cacert", served.certificate.certFile];
    });
    after(async () => {
      await served[Symbol.asyncDispose]();
      await rm(folder, { recursive: true });
    });

    it("curl makes a call", { skip: curl.skip }, async () => {
      const reply = join(folder, "curl");
      const version = served.certificate === undefined ? "--http2-prior-knowledge" : "--http2";
      const output = ["-sS", "-D", "-", "-o", reply];
      const { stdout } = await run(curl.path, [
        version,
        ...trust,
        ...output,
        ...headers,
        "--data-binary",
        `@${request}`,
        `${url}${path}`,
      ]);
      match(stdout, /^HTTP\/2 200/);
      match(stdout, /^grpc-status: 0\r?$/m);
      equal(sizeOf(await readFile(reply)), responseSize);
    });

    it("curl is told that this is no web server", { skip: curl.skip }, async () => {
      const version = served.certificate === undefined ? "--http2-prior-knowledge" : "--http2";
      const { stdout } = await run(curl.path, [version, ...trust, "-sS", "-w", " %{http_code} %{http_version}", url]);
      match(stdout, /this port speaks gRPC.*\s405 2$/is);
    });

    it("nghttp makes a call", { skip: nghttp.skip }, async () => {
      const { stdout } = await run(nghttp.path, ["-nvy", ...headers, "-d", request, `${url}${path}`]);
      match(stdout, /recv \(stream_id=\d+\) :status: 200/);
      match(stdout, /recv \(stream_id=\d+\) grpc-status: 0/);
    });

    it("h2load makes a thousand calls at once on four connections", { skip: h2load.skip }, async () => {
      const load = ["-n", "1000", "-c", "4", "-m", "250"];
      const { stdout } = await run(h2load.path, [...load, ...headers, "-d", request, `${url}${path}`]);
      match(stdout, /1000 total, 1000 started, 1000 done, 1000 succeeded, 0 failed, 0 errored, 0 timeout/);
      match(stdout, /status codes: 1000 2xx, 0 3xx, 0 4xx, 0 5xx/);
      const [, data = ""] = /\((\d+)\) data/.exec(stdout) ?? [];
      deepEqual(Number(data), 1000 * framed(encodeMessage(unaryCall.output, reply(responseSize), "proto")).length);
    });
  });
}

function reply(size: number) {
  return { payload: { body: new Uint8Array(size) } };
}

/** A message as gRPC sends it: uncompressed, with its length. */
function framed(message: Uint8Array): Buffer {
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(message.length, 1);
  return Buffer.concat([prefix, message]);
}

function sizeOf(frame: Buffer): number | undefined {
  equal(frame.readUInt32BE(1), frame.length - 5);
  return decodeMessage(unaryCall.output, frame.subarray(5), "proto").payload?.body.length;
}
