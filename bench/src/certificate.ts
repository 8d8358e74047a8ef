import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Bench } from "./bench.ts";

const run = promisify(execFile);

export interface Certificate {
  readonly certFile: string;
  readonly keyFile: string;
  /** The certificate itself, which clients have to trust. */
  readonly cert: string;
}

/** A certificate for loopback that lasts a day; undefined where there is no openssl. */
export async function makeCertificate(bench: Bench): Promise<Certificate | undefined> {
  const certFile = join(bench.folder, "cert.pem");
  const keyFile = join(bench.folder, "key.pem");
  const words = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1"];
  const names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"];
  const made = await run("openssl", [...words, ...names, "-out", certFile, "-keyout", keyFile]).catch(() => undefined);
  return made === undefined ? undefined : { certFile, keyFile, cert: await readFile(certFile, "utf8") };
}
