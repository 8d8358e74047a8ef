import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { access, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Bench } from "../bench.ts";
import type { Skipped } from "../row.ts";
import { refereePath } from "./referee.ts";

const run = promisify(execFile);
/** Arguments of unshare. */
const isolated = ["--net", "--pid", "--fork", "--kill-child", "--mount-proc"];

export interface MicroV3 {
  /** The file of its network namespace: it can be called from inside only. */
  readonly network: string;
}

/** Where it listens inside. */
export const microV3 = {
  api: "127.0.0.1:8080",
  proxy: "127.0.0.1:8081",
  /** The account that it comes with. */
  admin: { id: "admin", secret: "micro" },
} as const;

/**
 * `micro server` of the original, v3, as it comes. It listens on fixed ports of every address and writes below the home of its user, so it
 * gets namespaces of its own: a network with nothing but loopback, processes that all end with the first, and a passwd with a home in the
 * bench's folder, since a static Go binary asks that file. Its services come up one by one after this resolves.
 */
export async function startMicroV3(bench: Bench): Promise<MicroV3 | Skipped> {
  const program = refereePath("micro-v3");
  const reason = await whyNot(program);
  if (reason !== undefined) return { skipped: reason };
  const folder = await bench.newFolder("micro-v3");
  const [passwd, log] = [join(folder, "passwd"), join(folder, "server.log")];
  const [home, temporary] = [join(folder, "home"), join(folder, "tmp")];
  await Promise.all([mkdir(home), mkdir(temporary)]);
  await writeFile(passwd, `root:x:0:0:root:${home}:/bin/sh\n`);
  // The first process of the namespace is `cat` in the end, which lives until its input is closed: by us, or because we are gone.
  const script = `mount --bind "$1" /etc/passwd && ip link set lo up && { "$2" server >"$3" 2>&1 & } && echo started && exec cat`;
  const words = [...isolated, "sh", "-c", script, "sh", passwd, program, log];
  const { PATH } = process.env;
  const env = { PATH, HOME: home, TMPDIR: temporary, MICRO_REPORT_USAGE: "false" };
  const holder = spawn("unshare", words, { cwd: folder, env, stdio: ["pipe", "pipe", "inherit"] });
  const ended = once(holder, "exit");
  bench.use({
    async [Symbol.asyncDispose]() {
      holder.stdin.end();
      await ended;
    },
  });
  await Promise.race([once(holder.stdout, "data"), ended.then(() => Promise.reject(new Error("unshare has ended")))]);
  return { network: `/proc/${holder.pid}/ns/net` };
}

async function whyNot(program: string): Promise<string | undefined> {
  const isBuilt = await access(program).then(
    () => true,
    () => false,
  );
  if (!isBuilt) return `there is no ${program}: tools/referees.sh micro-v3 builds it`;
  const canIsolate = await run("unshare", [...isolated, "sh", "-c", "ip link set lo up && nsenter --version"]).then(
    () => true,
    () => false,
  );
  return canIsolate
    ? undefined
    : "it listens on every address, so it needs a network namespace of its own: run the bench as root, with unshare, nsenter and ip (Debian: util-linux, iproute2)";
}
