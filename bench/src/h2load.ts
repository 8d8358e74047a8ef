import { execFile } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Bench } from "./bench.ts";
import type { Measure, Sample, Skipped } from "./row.ts";

const run = promisify(execFile);

/** A file with the message as gRPC sends it, for `h2loaded`. */
export async function messageFile(bench: Bench, message: Uint8Array): Promise<string> {
  const file = join(bench.folder, "message");
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  await writeFile(file, Buffer.concat([head, message]));
  return file;
}

/** Drives a server with h2load: 4 connections × 16 streams of one call. */
export async function h2loaded(
  bench: Bench,
  address: string,
  path: string,
  body: string,
  headers: Readonly<Record<string, string>>,
  scheme: "http" | "https" = "http",
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
    const words = [...fixed, "--duration", seconds, `${scheme}://${address}${path}`];
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
