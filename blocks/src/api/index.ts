export type { FindBlob } from "./blob-answer.ts";
export { BlockList } from "./block-list.ts";
export { type BlockListHarness, type BlockListTest, blockListConformance } from "./conformance.ts";
export type { BlockEntry, BlockListDriver } from "./driver.ts";
export { Gateway } from "./gateway.ts";
export { type CallScope, defaultLimits, type GatewayOptions, type KnownService, type Limits } from "./options.ts";
export { RemoteBlockList } from "./remote.ts";
export { type Target, targetOf } from "./resolve/index.ts";
export { apiMethods } from "./service.ts";
