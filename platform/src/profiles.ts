import { mkdir } from "node:fs/promises";
import type { BlockListDriver } from "@microts/blocks/api";
import type { BrokerDriver } from "@microts/blocks/broker";
import type { ConfigDriver } from "@microts/blocks/config";
import type { EventsDriver } from "@microts/blocks/events";
import type { RegistryDriver } from "@microts/blocks/registry";
import type { BlobDriver, StoreDriver } from "@microts/blocks/store";
import { type Log, MicroError } from "@microts/core";
import {
  EmbeddedAuth,
  EmbeddedBlockList,
  EmbeddedBroker,
  EmbeddedEvents,
  EmbeddedRegistry,
  openEmbeddedBlobs,
  openEmbeddedConfig,
  openEmbeddedStore,
  openSigningKeys,
  type SigningKeys,
} from "@microts/driver-embedded";
import type { Settings } from "./settings.ts";

/** What a platform stands on. */
export interface Drivers {
  readonly store: StoreDriver;
  readonly blobs: BlobDriver;
  readonly registry: RegistryDriver;
  readonly broker: BrokerDriver;
  readonly config: ConfigDriver;
  readonly events: EventsDriver;
  readonly auth: EmbeddedAuth;
  readonly blockList: BlockListDriver;
  readonly keys: SigningKeys;
}

/** Everything in this process and in the data directory. The stack closes what was opened, last first. */
export async function openEmbedded(settings: Settings, log: Log, stack: AsyncDisposableStack): Promise<Drivers> {
  const { dataDir } = settings;
  await makeDataDirectory(dataDir);
  const store = stack.use(await openEmbeddedStore({ dataDir, log }));
  const [blobs, keys, config] = await Promise.all([
    openEmbeddedBlobs(store.database),
    openSigningKeys(dataDir),
    openEmbeddedConfig({ store, dataDir, rootKeys: settings.configKeys, log }),
  ]);
  stack.use(blobs);
  return {
    store,
    blobs,
    keys,
    registry: stack.use(new EmbeddedRegistry()),
    broker: stack.use(new EmbeddedBroker({ log })),
    config: stack.use(config),
    events: stack.use(new EmbeddedEvents({ database: store.database, log })),
    auth: stack.use(new EmbeddedAuth({ store, keys, log })),
    blockList: stack.use(new EmbeddedBlockList(store)),
  };
}

async function makeDataDirectory(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw MicroError.badRequest(
      "server",
      `can't make the data directory ${path}: ${(error as Error).message}. Name another with --data_dir or MICRO_DATA_DIR`,
    );
  }
}
