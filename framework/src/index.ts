export type { Damage, Position, Published, TopicSettings } from "@microts/blocks/events";
export { type Account, type Log, type Metadata, MicroError } from "@microts/core";
export { type AccountOptions, auth, type CreatedAccount } from "./auth.ts";
export { type BlobStat, blobs, type ReadBlobOptions, type WriteBlobOptions } from "./blobs.ts";
export { broker, type Message, type SubscribeOptions } from "./broker.ts";
export { type Client, type ClientCallOptions, client } from "./client.ts";
export { type ConfigOptions, config, type LiveConfig, type WatchOptions } from "./config.ts";
export {
  type BidiEndpoint,
  type ClientStreamEndpoint,
  type Context,
  type Endpoint,
  endpoint,
  type StreamEndpoint,
  type UnaryEndpoint,
} from "./endpoint.ts";
export { errors } from "./errors.ts";
export { events } from "./events.ts";
export type { RunningService } from "./run.ts";
export type { Schema } from "./schema/schema.ts";
export { type Endpoints, Service, type ServiceOptions, service } from "./service.ts";
export { store } from "./store.ts";
export type { Entry } from "./store-entry.ts";
export type {
  CountOptions,
  DeleteOptions,
  ListOptions,
  RecordOptions,
  StoreChange,
  UpdateOptions,
  WatchOptions as StoreWatchOptions,
  WriteOptions,
} from "./store-options.ts";
export type { StoreEvent, StoreWatch } from "./store-watch.ts";
export { Stream, stream } from "./stream.ts";
export type {
  ConsumeOptions,
  DeliveredEvent,
  Event,
  HandleOptions,
  PublishOptions,
  ReadOptions,
  ReplayOptions,
  StreamOptions,
} from "./stream-options.ts";
export { Topic, type TopicHandleOptions, type TopicOptions, type TopicSubscribeOptions, topic } from "./topic.ts";
