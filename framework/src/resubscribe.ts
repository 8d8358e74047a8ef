import { setTimeout as delay } from "node:timers/promises";
import { MicroError } from "@microts/core";

/** Pause before a lost subscription is opened anew. */
const retryMs = 1_000;

/**
 * What a subscription yields, and the next one, whenever the server goes away, until the signal aborts. Throws when the first can't be opened, and
 * when the server refuses a later one.
 */
export async function* resubscribed<T>(
  open: () => Promise<AsyncIterable<T>>,
  signal: AbortSignal | undefined,
): AsyncGenerator<T, void, undefined> {
  let source: AsyncIterable<T> | undefined = await open();
  while (source !== undefined) {
    try {
      yield* source;
    } catch (error) {
      if (!isLost(error)) throw error;
    }
    source = await reopen(open, signal);
  }
}

/** The next subscription, or undefined when the signal aborted. */
async function reopen<T>(open: () => Promise<T>, signal: AbortSignal | undefined): Promise<T | undefined> {
  while (!signal?.aborted) {
    try {
      await delay(retryMs, undefined, { ...(signal && { signal }) });
      return await open();
    } catch (error) {
      if (!signal?.aborted && !isLost(error)) throw error;
    }
  }
  return undefined;
}

/** Whether the server is away for now, rather than against it. */
export function isLost(error: unknown): boolean {
  return error instanceof MicroError && error.code === 503;
}
