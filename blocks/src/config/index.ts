export { Config, type ConfigCallOptions, type GetOptions, type SetOptions } from "./config.ts";
export type { ConfigDriver, Json } from "./driver.ts";
export { isObject, maxDocumentBytes } from "./json.ts";
export { RemoteConfig } from "./remote.ts";
export { configMethods } from "./service.ts";
