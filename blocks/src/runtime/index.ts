export { type RuntimeHarness, runtimeConformance, type SourceKind } from "./conformance.ts";
export {
  type CreateOptions,
  type LogLine,
  type LogQuery,
  type Owner,
  type RuntimeDriver,
  type RuntimeService,
  type ServiceSource,
  type ServiceStatus,
  serviceStatuses,
  type UpdateOptions,
} from "./driver.ts";
export { RemoteRuntime } from "./remote.ts";
export {
  defaultMaxSourceBytes,
  type InNamespace,
  type LogOptions,
  type NewService,
  type OfVersion,
  type ReadOptions,
  type RunOptions,
  Runtime,
  type RuntimeOptions,
} from "./runtime.ts";
export { runtimeMethods } from "./service.ts";
