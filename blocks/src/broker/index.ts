export { Broker, maxMessageBytes, type PublishOptions, type SubscribeOptions } from "./broker.ts";
export type { BrokerDriver, BrokerMessage, Subscription, WhenSlow } from "./driver.ts";
export { RemoteBroker } from "./remote.ts";
export { brokerMethods } from "./service.ts";
