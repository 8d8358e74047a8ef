import { setImmediate as turn } from "node:timers/promises";

/** The items, with a turn of the event loop after so many, so that work on all of them stops nobody else's. Default: as many secrets as take some two milliseconds. */
export async function* inTurns<T>(items: Iterable<T>, perTurn = 50): AsyncGenerator<T, void, undefined> {
  let count = 0;
  for (const item of items) {
    if (++count % perTurn === 0) await turn();
    yield item;
  }
}
