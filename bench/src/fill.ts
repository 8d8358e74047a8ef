import { EmbeddedEvents, openEmbeddedStore } from "@microts/driver-embedded";

/** A page is so many keys or events. */
export const pageLength = 100;

/** What `store.Store` and `events.Stream` work on when a request names none. */
const namespace = "micro";
const digits = 7;
const recordsAtOnce = 1_000;
const commitsAtOnce = 8;
/** As many as publish together in a row, so that the topic lies on the disk as it would after a life of those. */
const eventsAtOnce = 64;
const payload = Buffer.alloc(200, "v");
const never = new AbortController().signal;

/** The nth key; the keys of a page differ in their last digits only. */
export function keyAt(index: number): string {
  return `user/${String(index).padStart(digits, "0")}`;
}

/** What the keys of a page have in common, given one of them. */
export function pagePrefix(key: string): string {
  return key.slice(0, -Math.log10(pageLength));
}

/** Writes so many records of 200 B to the store of a server that doesn't run. */
export async function fillStore(dataDir: string, count: number): Promise<void> {
  await using store = await openEmbeddedStore({ dataDir });
  const table = { database: namespace, table: namespace };
  const commit = (first: number) => {
    const changes = Array.from({ length: Math.min(recordsAtOnce, count - first) }, (_, at) => {
      const key = keyAt(first + at);
      return { key, record: { key, value: payload, metadata: {}, expiresAt: undefined }, ifRevision: undefined };
    });
    return store.commit(table, changes, never);
  };
  for (let first = 0; first < count; ) {
    const commits: Promise<unknown>[] = [];
    for (; commits.length < commitsAtOnce && first < count; first += recordsAtOnce) commits.push(commit(first));
    await Promise.all(commits);
  }
}

/** Publishes so many events of 200 B to a topic of a server that doesn't run. */
export async function fillTopic(dataDir: string, topic: string, count: number): Promise<void> {
  await using store = await openEmbeddedStore({ dataDir });
  await using events = new EmbeddedEvents({ database: store.database });
  const event = { id: undefined, timestamp: new Date(), metadata: {}, payload, expiresAt: undefined };
  for (let first = 0; first < count; first += eventsAtOnce) {
    const length = Math.min(eventsAtOnce, count - first);
    await Promise.all(Array.from({ length }, () => events.publish(namespace, topic, event, never)));
  }
}
