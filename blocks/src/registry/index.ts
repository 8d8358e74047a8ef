export {
  anyDomain,
  type Endpoint,
  type Node,
  type RegistryDriver,
  type RegistryEvent,
  type ServiceEntry,
  type Value,
} from "./driver.ts";
export { type DomainOptions, type RegisterOptions, Registry, type WatchOptions } from "./registry.ts";
export { RemoteRegistry } from "./remote.ts";
export { RoutingView } from "./routing-view.ts";
export { registryMethods } from "./service.ts";
