export type { Clock } from "./clock.ts";
export type { Credentials } from "./deployment.ts";
export { EmbeddedRuntime } from "./embedded-runtime.ts";
export type { EmbeddedRuntimeOptions, RuntimeEvent } from "./options.ts";
