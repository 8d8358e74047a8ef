/** The services that the platform itself answers. Nobody else may register their names, and they run in the platform's own namespace. */
export const coreServices: ReadonlySet<string> = new Set([
  "api",
  "auth",
  "broker",
  "config",
  "events",
  "network",
  "proxy",
  "registry",
  "router",
  "runtime",
  "store",
]);

/** Names that a deployed service can't have: the core services and the platform's other parts. */
export const platformNames: ReadonlySet<string> = new Set([...coreServices, "server", "web"]);
