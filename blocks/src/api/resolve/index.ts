export { canonicalSegments } from "./canonical-path.ts";
export { nearNames } from "./near-names.ts";
export { Resolver } from "./resolver.ts";
export { type Target, targetOf } from "./target.ts";
