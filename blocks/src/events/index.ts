export type { ConsumeOptions, Delivery, EventsDriver, NewEvent, StreamEvent } from "./driver.ts";
export {
  Events,
  type EventsCallOptions,
  maxPayloadBytes,
  type PublishOptions,
  type ReadOptions,
  type SubscribeOptions,
} from "./events.ts";
export { RemoteEvents } from "./remote.ts";
export { eventsMethods } from "./service.ts";
