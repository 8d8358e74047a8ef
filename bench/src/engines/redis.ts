import { createClient } from "redis";
import type { Bench } from "../bench.ts";
import { freePort, startEngine } from "./process.ts";

export type RedisClient = Awaited<ReturnType<typeof connectRedis>>;

async function connectRedis(port: number) {
  const client = createClient({ socket: { host: "127.0.0.1", port } });
  return await client.connect();
}

/** Redis that answers a write when its append-only file is on disk, with the `redis` client; undefined where it isn't installed. */
export async function startRedis(bench: Bench): Promise<RedisClient | undefined> {
  const port = await freePort();
  const folder = await bench.newFolder("redis");
  const files = ["--dir", folder, "--save", "", "--appendonly", "yes", "--appendfsync", "always"];
  const args = ["--port", String(port), "--bind", "127.0.0.1", ...files];
  if (!(await startEngine(bench, "redis-server", args, { port, folder }))) return undefined;
  const client = await connectRedis(port);
  bench.use({ [Symbol.asyncDispose]: async () => client.destroy() });
  return client;
}
