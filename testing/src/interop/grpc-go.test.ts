// grpc-go's own interop client and server (google.golang.org/grpc/interop), against ours. They have no cases for compression.
import { doesNotMatch, equal, match } from "node:assert/strict";
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { GrpcStatus } from "@microts/core";
import { TestService } from "../../gen/interop_pb.ts";
import { Child } from "../child.ts";
import { referee } from "../referees/referee.ts";
import { cases } from "./cases.ts";
import { describeInterop, ofOurClient } from "./describe-interop.ts";
import { serveTestService } from "./test-service.ts";
import type { Serve, Served, Way } from "./ways.ts";

const goClient = referee("grpc-go-client");
const goServer = referee("grpc-go-server");
const ways: readonly Way[] = ["straight", "through our proxy", "over TLS"];
const run = promisify(execFile);

describeInterop(
  "grpc-go calling our server",
  { serve: serveTestService, ways, skip: goClient.skip },
  {
    ...Object.fromEntries(Object.keys(cases).map((name) => [name, (served: Served) => callFromGo(name, served)])),
    // grpc-go sends a PING with almost every message, to learn how much is on its way: the connection must outlive them.
    "rpc_soak, on one connection": async (served) => {
      const said = await callFromGo("rpc_soak", served, [
        "--soak_iterations=500",
        "--soak_response_size=1000",
        "--soak_overall_timeout_seconds=120",
        "--soak_per_iteration_max_acceptable_latency_ms=60000",
      ]);
      match(said, /soak test successes: 500 \/ 500 iterations/);
      doesNotMatch(said, /GoAway/);
    },
  },
);

/** Resolves with what it said. */
async function callFromGo(name: string, { port, certificate }: Served, more: string[] = []): Promise<string> {
  const tls = ["--use_tls", "--use_test_ca", `--ca_file=${certificate?.certFile}`, "--server_host_override=localhost"];
  const args = [`--test_case=${name}`, "--server_host=127.0.0.1", `--server_port=${port}`, ...more];
  // It says what was wrong on its error output, which is part of the error, and ends with 1.
  const { stderr } = await run(goClient.path, certificate === undefined ? args : [...args, ...tls], {
    timeout: 140_000,
    env: { GRPC_GO_LOG_SEVERITY_LEVEL: "error" },
  });
  return stderr;
}

const serveGo: Serve = async (certificate) => {
  const tls = ["--use_tls", `--tls_cert_file=${certificate?.certFile}`, `--tls_key_file=${certificate?.keyFile}`];
  const args = certificate === undefined ? [] : tls;
  const env = { GRPC_GO_LOG_SEVERITY_LEVEL: "info" };
  const child = new Child(goServer.path, ["--port=0", ...args], { env, cwd: process.cwd(), isProgram: true });
  const [, address = ""] = await child.saying(/interop server listening on (127\.0\.0\.1:\d+)/);
  return { address, [Symbol.asyncDispose]: () => child[Symbol.asyncDispose]() };
};

describeInterop(
  "our client calling grpc-go",
  { serve: serveGo, ways, skip: goServer.skip },
  ofOurClient({
    ...cases,
    // Its server sends such PINGs too.
    "a call of many messages": async (client) => {
      const stream = client.open(TestService.method.fullDuplexCall);
      for (let n = 0; n < 500; n++) {
        await stream.send({ responseParameters: [{ size: 10 }], payload: { body: new Uint8Array(1000) } });
        equal((await stream.receive())?.payload?.body.length, 10);
      }
      equal((await stream.end()).code, GrpcStatus.ok);
    },
  }),
);
