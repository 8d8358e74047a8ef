export type { Route, Router } from "./driver.ts";
export { type MethodTable, type ProxyOptions, pickNode, proxyHandler } from "./proxy.ts";
