export { Config, type ConfigCallOptions, type GetOptions, type SetOptions } from "./config.ts";
export type { ConfigDriver, Json, RotationProgress } from "./driver.ts";
export { isObject, maxDocumentBytes } from "./json.ts";
export { formatPath } from "./path.ts";
export { RemoteConfig } from "./remote.ts";
export { configMethods } from "./service.ts";
