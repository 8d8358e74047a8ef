export type { Route, Router } from "./driver.ts";
export { type MethodTable, type ProxyOptions, proxyHandler } from "./proxy.ts";
