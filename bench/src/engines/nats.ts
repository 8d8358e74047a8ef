import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type JetStreamClient, jetstream, jetstreamManager, RetentionPolicy, StorageType } from "@nats-io/jetstream";
import { connect, type NatsConnection } from "@nats-io/transport-node";
import type { Bench } from "../bench.ts";
import { freePort, startEngine } from "./process.ts";
import { refereePath } from "./referee.ts";

export interface Nats {
  readonly connection: NatsConnection;
  readonly stream: JetStreamClient;
}

export const subject = "events";

/**
 * NATS with JetStream on disk and one stream, with its own client. As it comes it answers a publish before the message is on disk;
 * `isSynced` makes it wait. Undefined where it isn't installed.
 */
export async function startNats(bench: Bench, name: string, isSynced: boolean): Promise<Nats | undefined> {
  const port = await freePort();
  const folder = await bench.newFolder(name);
  const config = join(folder, "nats.conf");
  const sync = isSynced ? ", sync_interval: always" : "";
  await writeFile(config, `listen: 127.0.0.1:${port}\njetstream { store_dir: "${folder}" ${sync} }\n`);
  const options = { port, folder };
  const isStarted =
    (await startEngine(bench, refereePath("nats-server"), ["-c", config], options)) ||
    (await startEngine(bench, "nats-server", ["-c", config], options));
  if (!isStarted) return undefined;
  const connection = await connect({ servers: `127.0.0.1:${port}` });
  bench.use({ [Symbol.asyncDispose]: () => connection.close() });
  const manager = await jetstreamManager(connection);
  const settings = { storage: StorageType.File, retention: RetentionPolicy.Limits };
  await manager.streams.add({ name: subject, subjects: [subject], ...settings });
  return { connection, stream: jetstream(connection) };
}
