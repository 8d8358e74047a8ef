import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { Child } from "../../child.ts";
import { refereePython } from "../../referees/referee.ts";
import type { Serve, Served } from "../ways.ts";

/** Python with gRPC's own implementation in C. */
export const grpcio = refereePython();

const folder = fileURLToPath(new URL(".", import.meta.url));
const protos = fileURLToPath(new URL("../../../proto", import.meta.url));
const run = promisify(execFile);

/** The messages of the interop tests as Python, in a temporary folder. */
export interface PythonMessages extends AsyncDisposable {
  readonly folder: string;
}

async function compileForPython(): Promise<PythonMessages> {
  const out = await mkdtemp(join(tmpdir(), "micro-grpcio-"));
  const protoc = createRequire(import.meta.url).resolve("protoc/protoc.cjs");
  await run(process.execPath, [protoc, `--proto_path=${protos}`, `--python_out=${out}`, "interop.proto"]);
  return { folder: out, [Symbol.asyncDispose]: () => rm(out, { recursive: true, force: true }) };
}

/** The interop test service on grpcio's server. */
export const serveGrpcio: Serve = async (certificate) => {
  await using opened = new AsyncDisposableStack();
  const messages = opened.use(await compileForPython());
  const files = certificate === undefined ? [] : [certificate.certFile, certificate.keyFile];
  const child = opened.use(python("server.py", files, messages));
  const [, address = ""] = await child.saying(/serving on (127\.0\.0\.1:\d+)/);
  const all = opened.move();
  return { address, [Symbol.asyncDispose]: () => all.disposeAsync() };
};

/** Runs all cases of grpcio's client at a server. Gives what each found wrong, null when nothing. */
export async function callFromGrpcio({ address, certificate }: Served): Promise<ReadonlyMap<string, string | null>> {
  await using messages = await compileForPython();
  const args = certificate === undefined ? [address] : [address, certificate.certFile];
  await using child = python("client.py", args, messages);
  const { stdout, stderr } = await child.within(60_000);
  const lines = stdout.trim().split("\n");
  try {
    return new Map(lines.map((line) => JSON.parse(line)).map(({ name, error }) => [name, error]));
  } catch {
    throw new Error(`grpcio's client printed no results:\n${stdout}\n${stderr}`);
  }
}

function python(file: string, args: readonly string[], messages: PythonMessages): Child {
  const env = { PYTHONPATH: [messages.folder, folder].join(delimiter), PYTHONDONTWRITEBYTECODE: "1" };
  return new Child(grpcio.path, [join(folder, file), ...args], { env, cwd: messages.folder, isProgram: true });
}
