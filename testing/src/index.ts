export { type CoreServer, serveCore } from "./core-server.ts";
export { type Backend, type ServedGateway, serveGateway } from "./gateway.ts";
export { openTestNetwork } from "./network.ts";
export { open, parseAnswers, type RawAnswer, type RawExchange, type RawOptions, sendRaw } from "./raw-http.ts";
export { type ServedMethods, type ServedOptions, serveMethods, testAdmin } from "./remote.ts";
export {
  openRuntimePlatform,
  type RuntimePlatform,
  type RuntimePlatformOptions,
  registering,
  runtimeSource,
  tarOf,
} from "./runtime-platform.ts";
