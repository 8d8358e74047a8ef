// connectconformance, the tests that connectrpc.com keeps for gRPC and gRPC-Web, judges our server and our client: each claims what its
// .yaml says, and no case may fail.
import { deepEqual, ok } from "node:assert/strict";
import { execFile } from "node:child_process";
import { join } from "node:path";
import { describe, it } from "node:test";
import { referee } from "../referees/referee.ts";

const conformance = referee("connectconformance");
const folder = import.meta.dirname;

/** How many cases the claims come to: a run of fewer has not judged everything. Few calls at once, because their deadlines are short. */
const roles = {
  server: { cases: 1310, options: ["--parallel", "4"] },
  client: { cases: 646, options: [] },
} as const;

describe("connectconformance", { skip: conformance.skip }, () => {
  for (const [role, { cases, options }] of Object.entries(roles)) {
    it(`finds nothing wrong with our ${role}`, { timeout: 280_000 }, async () => {
      const report = await run(role, options);
      const [, ran = "0"] = /^Total cases: (\d+)$/m.exec(report) ?? [];
      deepEqual(failuresIn(report), []);
      ok(Number(ran) >= cases, `it ran ${ran} cases, and the claims come to ${cases}: ${report.slice(-500)}`);
    });
  }
});

/** What it prints; its exit code says no more. Two servers at once: each is a process of its own, and they have seconds to start. */
async function run(role: string, options: readonly string[]): Promise<string> {
  const claims = join(folder, `${role}.yaml`);
  const program = [process.execPath, join(folder, `${role}.ts`)];
  const args = ["--mode", role, "--conf", claims, "--max-servers", "2", ...options, "--", ...program];
  const settings = { timeout: 140_000, maxBuffer: 64 * 1024 * 1024 };
  return await new Promise((ended) =>
    execFile(conformance.path, args, settings, (_, stdout, stderr) => ended(stdout + stderr)),
  );
}

/** Each failing case with the lines that say why. */
function failuresIn(report: string): string[] {
  return [...report.matchAll(/^FAILED: (.*(?:\n\t.*)*)/gm)].map(([, text = ""]) => text);
}
