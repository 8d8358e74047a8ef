import { setTimeout as delay } from "node:timers/promises";
import { MicroError } from "@microts/core";
import type { Context } from "./context.ts";

const firstPauseMs = 500;
const maxPauseMs = 10_000;
/** A server that has just started may not have left its credentials yet. */
const refusalsTaken = 5;

/**
 * What a stream yields, and the next one whenever the server goes away, with a line on standard error, until the command is ended. Throws when the
 * server refuses one.
 */
export async function* followed<T>(
  context: Context,
  first: AsyncIterable<T>,
  open: () => Promise<AsyncIterable<T>>,
): AsyncGenerator<T, void, undefined> {
  for (let source = first; ; source = await reopened(context, open)) {
    let why = "it is stopping";
    try {
      yield* source;
    } catch (error) {
      if (!isLost(error)) throw error;
      why = error.detail;
    }
    if (context.signal.aborted) return;
    context.out.warn(`The server has gone away (${why}): trying until it is back; Ctrl-C ends it`);
  }
}

async function reopened<T>(
  { session, signal, out }: Context,
  open: () => Promise<AsyncIterable<T>>,
): Promise<AsyncIterable<T>> {
  let refusals = 0;
  for (let pause = firstPauseMs; ; pause = Math.min(2 * pause, maxPauseMs)) {
    await delay(pause, undefined, { signal }).catch(() => {
      throw new MicroError(499, "micro", "stopped");
    });
    // Tokens end sooner than a server may be away.
    session.forgetToken();
    try {
      const source = await open();
      out.warn("The server is back");
      return source;
    } catch (error) {
      const isEarly = error instanceof MicroError && error.code === 401 && ++refusals <= refusalsTaken;
      if (!isEarly && !isLost(error)) throw error;
    }
  }
}

/** Whether the server is away for now, rather than against it. */
function isLost(error: unknown): error is MicroError {
  return error instanceof MicroError && error.code === 503;
}
