// h2spec, the conformance tests of HTTP/2 and HPACK (RFC 7540 and 7541), judges our server.
import { deepEqual, ok } from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { listen } from "@microts/core/rpc";
import { makeCertificate } from "../certificate.ts";
import { referee } from "./referee.ts";

const h2spec = referee("h2spec");

describe("our server under h2spec, all cases in strict mode", { skip: h2spec.skip, concurrency: true }, () => {
  it("passes in clear text", async () => {
    await using server = await listen(async () => {}, { address: "127.0.0.1:0" });
    judged(await h2specReport(server.port, []));
  });

  it("passes over TLS", async () => {
    await using certificate = await makeCertificate();
    await using server = await listen(async () => {}, { address: "127.0.0.1:0", tls: certificate });
    judged(await h2specReport(server.port, ["--tls", "--insecure"]));
  });
});

/** How many cases h2spec has: a run of fewer has not judged everything. */
const caseCount = 146;

function judged(report: string): void {
  const cases = [...report.matchAll(/<testcase [^>]*classname="([^"]*)"[^>]*?(?:\/>|>(.*?)<\/testcase>)/gs)];
  const failed = cases.filter(([, , outcome = ""]) => /<(failure|error|skipped)/.test(outcome));
  deepEqual(
    failed.map(([text]) => text),
    [],
  );
  ok(cases.length >= caseCount, `h2spec ran only ${cases.length} cases`);
}

async function h2specReport(port: number, options: readonly string[]): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "micro-h2spec-"));
  try {
    const file = join(folder, "report.xml");
    const args = ["--strict", "--timeout", "20", "--port", String(port), "--junit-report", file, ...options];
    // Its exit code says no more than the report does.
    await new Promise((ended) => execFile(h2spec.path, args, { timeout: 100_000 }, ended));
    return await readFile(file, "utf8");
  } finally {
    await rm(folder, { recursive: true });
  }
}
