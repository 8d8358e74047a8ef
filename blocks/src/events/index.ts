export { maxPayloadBytes } from "./checks.ts";
export type {
  ConsumeOptions,
  Damage,
  Delivery,
  EventPage,
  EventsDriver,
  GroupInfo,
  NewEvent,
  Position,
  Published,
  ReadRange,
  StreamEvent,
  TopicInfo,
  TopicSettings,
} from "./driver.ts";
export {
  Events,
  type EventsCallOptions,
  type PublishOptions,
  type ReadOptions,
  type ReplayOptions,
  type SubscribeOptions,
} from "./events.ts";
export { type PageRest, PageWriter, type StoredParts } from "./page-codec.ts";
export { RemoteEvents } from "./remote.ts";
export { eventsMethods } from "./service.ts";
