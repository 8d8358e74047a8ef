import { spawn } from "node:child_process";
import { once } from "node:events";
import { type AddressInfo, connect, createServer } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import type { Bench } from "../bench.ts";

export interface EngineOptions {
  /** The TCP port that it answers on once it is up. */
  readonly port: number;
  readonly folder: string;
  /** Runs as this user, where we are root and the engine refuses to be. */
  readonly uid?: number;
  readonly gid?: number;
}

const startMs = 20_000;

/** Starts a server of somebody else's and ends it with the bench. False when the program isn't installed. */
export async function startEngine(
  bench: Bench,
  program: string,
  args: readonly string[],
  options: EngineOptions,
): Promise<boolean> {
  const { folder, port, uid, gid } = options;
  const user = uid === undefined || gid === undefined ? {} : { uid, gid };
  const child = spawn(program, args, { cwd: folder, stdio: ["ignore", "ignore", "pipe"], ...user });
  let errors = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    errors = (errors + text).slice(-2000);
  });
  const started = await Promise.race([once(child, "spawn").then(() => true), once(child, "error").then(() => false)]);
  if (!started) return false;
  const exit = once(child, "exit");
  bench.use({
    async [Symbol.asyncDispose]() {
      if (child.exitCode === null && child.signalCode === null) child.kill("SIGTERM");
      await exit;
    },
  });
  for (const endMs = Date.now() + startMs; !(await answers(port)); ) {
    if (child.exitCode !== null || Date.now() > endMs) throw new Error(`${program} doesn't answer: ${errors}`);
    await delay(50, undefined, { signal: bench.signal });
  }
  return true;
}

async function answers(port: number): Promise<boolean> {
  const socket = connect(port, "127.0.0.1");
  try {
    await once(socket, "connect");
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}
