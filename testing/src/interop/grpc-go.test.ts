// grpc-go's own interop client and server (google.golang.org/grpc/interop), against ours. They have no cases for compression.
import { execFile } from "node:child_process";
import { promisify } from "node:util";
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
  Object.fromEntries(Object.keys(cases).map((name) => [name, (served) => callFromGo(name, served)])),
);

async function callFromGo(name: string, { port, certificate }: Served): Promise<void> {
  const tls = ["--use_tls", "--use_test_ca", `--ca_file=${certificate?.certFile}`, "--server_host_override=localhost"];
  const args = [`--test_case=${name}`, "--server_host=127.0.0.1", `--server_port=${port}`];
  // It says what was wrong on its error output, which is part of the error, and ends with 1.
  await run(goClient.path, certificate === undefined ? args : [...args, ...tls], { timeout: 30_000 });
}

const serveGo: Serve = async (certificate) => {
  const tls = ["--use_tls", `--tls_cert_file=${certificate?.certFile}`, `--tls_key_file=${certificate?.keyFile}`];
  const args = certificate === undefined ? [] : tls;
  const env = { GRPC_GO_LOG_SEVERITY_LEVEL: "info" };
  const child = new Child(goServer.path, ["--port=0", ...args], { env, cwd: process.cwd(), isProgram: true });
  const [, address = ""] = await child.saying(/interop server listening on (127\.0\.0\.1:\d+)/);
  return { address, [Symbol.asyncDispose]: () => child[Symbol.asyncDispose]() };
};

describeInterop("our client calling grpc-go", { serve: serveGo, ways, skip: goServer.skip }, ofOurClient(cases));
