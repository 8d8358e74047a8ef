import type { StoreWatch as Watch } from "@microts/blocks/store";
import { processLog } from "./process-log.ts";
import { resubscribed } from "./resubscribe.ts";
import { type Entry, entryOf } from "./store-entry.ts";

/** A change that was made. */
export interface StoreEvent<T> {
  readonly key: string;
  readonly revision: number;
  /** What the key holds since then; undefined when it was deleted or has expired. */
  readonly entry: Entry<T> | undefined;
}

/** Changes in the order of their revisions. For one loop. */
export interface StoreWatch<T> extends AsyncIterable<StoreEvent<T>> {
  /** The newest revision of the store when the watch began. */
  readonly revision: number;
}

/** What a watch tells, going on after the last change it gave whenever the server was away. Changes to what isn't JSON are left out, with a line in the log. */
export async function followStore<T>(
  watch: (after: number | undefined) => Promise<Watch>,
  after: number | undefined,
  signal: AbortSignal | undefined,
): Promise<StoreWatch<T>> {
  let opened: Watch | undefined = await watch(after);
  const { revision } = opened;
  let seen = after ?? revision;
  const open = async () => {
    const source = opened ?? (await watch(seen));
    opened = undefined;
    return source;
  };
  const events = async function* () {
    for await (const event of resubscribed(open, signal)) {
      seen = event.revision;
      if (event.key === undefined) continue;
      const { key, revision: at, record } = event;
      try {
        yield { key, revision: at, entry: record && entryOf<T>(record) };
      } catch (error) {
        processLog().warn("a change of the store is left out", { error });
      }
    }
  };
  const following = events();
  return { revision, [Symbol.asyncIterator]: () => following };
}
