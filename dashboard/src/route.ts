import { useSyncExternalStore } from "react";

/** What the address asks for: the list, a service of it, or one of a service's endpoints. */
export interface Route {
  readonly service?: string;
  readonly endpoint?: string;
}

/** undefined for an address that isn't one of ours. */
export function routeOf(path: string): Route | undefined {
  if (path === "/") return {};
  const [, service, endpoint] = /^\/services\/([^/]+)(?:\/([^/]+))?\/?$/.exec(path) ?? [];
  if (service === undefined) return path === "/services" || path === "/services/" ? {} : undefined;
  try {
    return {
      service: decodeURIComponent(service),
      ...(endpoint !== undefined && { endpoint: decodeURIComponent(endpoint) }),
    };
  } catch {
    return undefined;
  }
}

export function pathTo({ service, endpoint }: Route): string {
  if (service === undefined) return "/";
  const tail = endpoint === undefined ? "" : `/${encodeURIComponent(endpoint)}`;
  return `/services/${encodeURIComponent(service)}${tail}`;
}

/** Goes to a page without loading it anew; `replace` leaves no step behind for the back button. */
export function navigate(route: Route, { replace = false } = {}): void {
  const path = pathTo(route);
  if (replace) history.replaceState(null, "", path);
  else history.pushState(null, "", path);
  for (const listener of listeners) listener();
}

/** The present address, followed as it changes. */
export function usePath(): string {
  return useSyncExternalStore(subscribe, () => location.pathname);
}

const listeners = new Set<() => void>();

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  window.addEventListener("popstate", listener);
  return () => {
    listeners.delete(listener);
    window.removeEventListener("popstate", listener);
  };
}
