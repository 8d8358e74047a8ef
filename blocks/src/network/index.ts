export { type NetworkHarness, networkConformance } from "./conformance.ts";
export type { NetworkDriver, NetworkNode, NetworkRoute, RouteQuery } from "./driver.ts";
export { Network } from "./network.ts";
export { RemoteNetwork } from "./remote.ts";
export { networkMethods } from "./service.ts";
