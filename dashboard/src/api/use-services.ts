import { useEffect, useRef, useState } from "react";
import { ApiError, parseServices, readServices } from "./client.ts";
import type { Service } from "./contract.ts";

const refreshMs = 3000;

export interface ServicesState {
  /** undefined until the first answer. The same object as long as nothing has changed. */
  readonly services?: readonly Service[];
  /** Why the last refresh failed. */
  readonly problem?: string;
}

/** The list of services, read again every three seconds while the page is visible and `isActive`. */
export function useServices(isActive: boolean, onExpired: () => void): ServicesState {
  const [state, setState] = useState<ServicesState>({});
  const expired = useRef(onExpired);
  expired.current = onExpired;
  useEffect(() => {
    if (!isActive) return;
    const leaving = new AbortController();
    void poll(leaving.signal, setState, () => expired.current());
    return () => leaving.abort();
  }, [isActive]);
  return state;
}

type Update = (change: (last: ServicesState) => ServicesState) => void;

async function poll(signal: AbortSignal, update: Update, onExpired: () => void): Promise<void> {
  let known = "";
  while (!signal.aborted) {
    try {
      const text = await readServices(signal);
      if (text !== known) update(() => ({ services: parseServices(text) }));
      else update((last) => (last.problem === undefined ? last : { services: parseServices(text) }));
      known = text;
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof ApiError && error.body.code === 401) return onExpired();
      const problem = error instanceof ApiError ? error.body.detail : String(error);
      update((last) => ({ ...last, problem }));
    }
    await pause(signal);
  }
}

/** Ends after the refresh time, and when the page is visible. */
async function pause(signal: AbortSignal): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, refreshMs));
  if (document.visibilityState === "visible" || signal.aborted) return;
  await new Promise((resolve) => {
    document.addEventListener("visibilitychange", resolve, { once: true, signal });
    signal.addEventListener("abort", resolve, { once: true });
  });
}
