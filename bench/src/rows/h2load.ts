import { execFile } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Bench } from "../bench.ts";
import { checkEcho, echoEndpoint, echoMessage, echoPath, echoService } from "../peers/echo.ts";
import { connectGrpcJs, grpcJsFile } from "../peers/grpc-js.ts";
import { http2File } from "../peers/http2.ts";
import { connectMicroRpc, microMetadata, microRpcFile } from "../peers/micro-rpc.ts";
import type { Measure, Row, Sample, Skipped } from "../row.ts";

const run = promisify(execFile);

/** Servers alone, with a load generator that is not ours. */
export const h2load: Row = {
  name: "h2load",
  title: "gRPC servers driven by h2load, 4 connections × 16 streams, small echo",
  unit: "calls/s",
  contenders: {
    ours: "listen + serveMethod: token, metadata, deadline, member check",
    "grpc-js": "@grpc/grpc-js server, bare",
    http2: "raw node:http2 server",
  },
  bars: [{ text: "≥ 6× the grpc-js server", of: "ours", against: "grpc-js", atLeast: 6 }],
  profiled: ["server"],
  async open(bench) {
    const [ours, grpcJs, http2] = await Promise.all([
      bench.serve("ours", microRpcFile),
      bench.serve("grpc-js", grpcJsFile),
      bench.serve("http2", http2File),
    ]);
    const authorization = ours.authorization ?? "";
    const ourClient = bench.use(connectMicroRpc(ours.address, authorization));
    checkEcho(await ourClient.unary(echoService, echoEndpoint, echoMessage));
    checkEcho(await bench.use(connectGrpcJs(grpcJs.address)).call(echoMessage));
    const body = join(bench.folder, "message");
    const head = Buffer.alloc(5);
    head.writeUInt32BE(echoMessage.length, 1);
    await writeFile(body, Buffer.concat([head, echoMessage]));
    const headers = { ...microMetadata(authorization), "grpc-timeout": "10S" };
    return {
      ours: await measured(bench, ours.address, body, headers),
      "grpc-js": await measured(bench, grpcJs.address, body, {}),
      http2: await measured(bench, http2.address, body, {}),
    };
  },
};

async function measured(
  bench: Bench,
  address: string,
  body: string,
  headers: Readonly<Record<string, string>>,
): Promise<Measure | Skipped> {
  const version = await run("h2load", ["--version"]).catch(() => undefined);
  if (version === undefined) return { skipped: "h2load is not installed (Debian: apt-get install nghttp2-client)" };
  const all = { "content-type": "application/grpc", te: "trailers", ...headers };
  const fixed = [
    ...["--clients=4", "--max-concurrent-streams=16", "--threads=1", `--data=${body}`],
    ...Object.entries(all).flatMap(([name, value]) => ["-H", `${name}: ${value}`]),
  ];
  return async (ms) => {
    const seconds = String(Math.max(1, Math.round(ms / 1000)));
    const words = [...fixed, "--duration", seconds, `http://${address}${echoPath}`];
    const { stdout } = await run("h2load", words, { signal: bench.signal });
    return sampleOf(stdout);
  };
}

function sampleOf(report: string): Sample {
  const perSecond = /^finished in .*, ([\d.]+) req\/s/m.exec(report)?.[1];
  const failed = /(\d+) failed, (\d+) errored, (\d+) timeout/.exec(report);
  const wrong = /status codes: \d+ 2xx, (\d+) 3xx, (\d+) 4xx, (\d+) 5xx/.exec(report);
  const counts = [...(failed ?? []).slice(1), ...(wrong ?? []).slice(1)].map(Number);
  if (perSecond === undefined || counts.length !== 6 || counts.some((count) => count > 0)) {
    throw new Error(`h2load met errors:\n${report}`);
  }
  return { value: Number(perSecond) };
}
