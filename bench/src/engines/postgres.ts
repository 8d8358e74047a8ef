import { execFile } from "node:child_process";
import { chown, readdir } from "node:fs/promises";
import { userInfo } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";
import pg from "pg";
import type { Bench } from "../bench.ts";
import { freePort, startEngine } from "./process.ts";

const run = promisify(execFile);
const debian = "/usr/lib/postgresql";
/** `cannot_connect_now` of PostgreSQL's error codes. */
const startingUp = "57P03";

/** PostgreSQL as it comes (synchronous_commit on), with a pool of `connections`; undefined where it isn't installed. */
export async function startPostgres(bench: Bench, connections: number): Promise<pg.Pool | undefined> {
  const versions = await readdir(debian).catch(() => []);
  const bin = join(debian, versions.toSorted((a, b) => Number(b) - Number(a))[0] ?? "", "bin");
  const port = await freePort();
  const folder = await bench.newFolder("postgres");
  const user = await ownerOf(folder);
  // The bench's own folder has to let it through.
  if (user.uid !== undefined) await run("chmod", ["711", bench.folder]);
  const data = join(folder, "data");
  const made = await run(join(bin, "initdb"), ["-D", data, "-A", "trust", "-U", "bench", "-E", "UTF8"], user).catch(
    (error: NodeJS.ErrnoException) => (error.code === "ENOENT" ? undefined : Promise.reject(error)),
  );
  if (made === undefined) return undefined;
  const settings = [`port=${port}`, "listen_addresses=127.0.0.1", `unix_socket_directories=${folder}`].flatMap(
    (setting) => ["-c", setting],
  );
  const args = ["-D", data, "-c", `max_connections=${connections + 10}`, ...settings];
  await startEngine(bench, join(bin, "postgres"), args, { port, folder, ...user });
  const pool = new pg.Pool({ host: "127.0.0.1", port, user: "bench", database: "postgres", max: connections });
  // It goes before its clients do.
  pool.on("error", () => {});
  bench.use({ [Symbol.asyncDispose]: () => pool.end() });
  await ready(pool, bench.signal);
  await pool.query("CREATE TABLE records (key text PRIMARY KEY, value bytea NOT NULL)");
  return pool;
}

/** It answers on its port before it takes queries. */
async function ready(pool: pg.Pool, signal: AbortSignal): Promise<void> {
  for (const endMs = Date.now() + 20_000; ; await delay(50, undefined, { signal })) {
    try {
      await pool.query("SELECT 1");
      return;
    } catch (error) {
      if (!(error instanceof pg.DatabaseError && error.code === startingUp) || Date.now() > endMs) throw error;
    }
  }
}

/** PostgreSQL refuses to be root. */
async function ownerOf(folder: string): Promise<{ uid?: number; gid?: number }> {
  if (userInfo().uid !== 0) return {};
  const id = async (flag: string) => Number((await run("id", [flag, "postgres"])).stdout);
  const [uid, gid] = await Promise.all([id("-u"), id("-g")]);
  await chown(folder, uid, gid);
  return { uid, gid };
}
