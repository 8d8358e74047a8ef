import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Announcement, Bench } from "./bench.ts";
import { grpcJsFile } from "./peers/grpc-js.ts";
import { microRpcFile } from "./peers/micro-rpc.ts";
import type { Bar, Skipped } from "./row.ts";

const run = promisify(execFile);

interface Certificate {
  readonly certFile: string;
  readonly keyFile: string;
  /** The certificate itself, which clients have to trust. */
  readonly cert: string;
}

/** A certificate for loopback that lasts a day; undefined where there is no openssl. */
async function makeCertificate(bench: Bench): Promise<Certificate | undefined> {
  const certFile = join(bench.folder, "cert.pem");
  const keyFile = join(bench.folder, "key.pem");
  const words = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1"];
  const names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"];
  const made = await run("openssl", [...words, ...names, "-out", certFile, "-keyout", keyFile]).catch(() => undefined);
  return made === undefined ? undefined : { certFile, keyFile, cert: await readFile(certFile, "utf8") };
}

/** Holds rows with the contenders `ours`, `grpc-js` and both of them over TLS. */
export const tlsBars: readonly Bar[] = [
  {
    text: "TLS adds no more time to one of ours than to one of grpc-js (1 ÷ TLS − 1 ÷ clear text, ours ÷ theirs)",
    of: "ours, TLS",
    against: "ours",
    beside: { of: "grpc-js, TLS", against: "grpc-js" },
    by: "added time",
    atMost: 1,
  },
  {
    text: "TLS takes no greater share of ours than of grpc-js (TLS ÷ clear text, ours ÷ theirs)",
    of: "ours, TLS",
    against: "ours",
    beside: { of: "grpc-js, TLS", against: "grpc-js" },
    atLeast: 1,
  },
];

/** What a client of a server over TLS needs. */
export interface TlsServer extends Announcement {
  /** The certificate to trust. */
  readonly ca: string;
}

/** Starts a server of ours and one of grpc-js over TLS; or says why not. */
export async function serveTls(bench: Bench): Promise<{ ours: TlsServer; grpcJs: TlsServer } | Skipped> {
  const certificate = await makeCertificate(bench);
  if (certificate === undefined) return { skipped: "there is no openssl to make a certificate with" };
  const { certFile, keyFile, cert } = certificate;
  const serve = async (name: string, file: string): Promise<TlsServer> => {
    const announced = await bench.serve(`${name}, TLS`, file, [certFile, keyFile]);
    return { ...announced, ca: cert };
  };
  const [ours, grpcJs] = await Promise.all([serve("ours", microRpcFile), serve("grpc-js", grpcJsFile)]);
  return { ours, grpcJs };
}
