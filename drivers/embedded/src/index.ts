export { EmbeddedBlockList } from "./api.ts";
export { EmbeddedAuth, type EmbeddedAuthOptions } from "./auth.ts";
export {
  type BackupOptions,
  backUp,
  type Manifest,
  type Restored,
  type RestoreOptions,
  restoreBackup,
} from "./backup/index.ts";
export { EmbeddedBlobs, openEmbeddedBlobs } from "./blobs.ts";
export { EmbeddedBroker } from "./broker.ts";
export { type Now, steadyClock } from "./clock.ts";
export { type GivenRootKeys, givenRootKeys, parseRootKeys, type RootKeys } from "./config/root-keys.ts";
export { EmbeddedConfig, type EmbeddedConfigOptions, type OpenConfigOptions, openEmbeddedConfig } from "./config.ts";
export { EmbeddedEvents, type EmbeddedEventsOptions } from "./events/events.ts";
export { EmbeddedNetwork } from "./network.ts";
export { EmbeddedRegistry, type EmbeddedRegistryOptions } from "./registry.ts";
export {
  type Clock,
  type Credentials,
  EmbeddedRuntime,
  type EmbeddedRuntimeOptions,
  type RuntimeEvent,
} from "./runtime/index.ts";
export { generateSigningKeys, openSigningKeys, type SigningKeys } from "./signing-keys.ts";
export {
  type DatabaseOptions,
  EmbeddedDatabase,
  lockDataDirectory,
  type Row,
  type SqlValue,
  type Statement,
} from "./sqlite/index.ts";
export { EmbeddedStore, type EmbeddedStoreOptions, openEmbeddedStore } from "./store.ts";
