/** A process that publishes a hundred events, one after the other, and says so of each. Argument: data directory. */
import { writeSync } from "node:fs";
import { EmbeddedEvents, openEmbeddedStore } from "@microts/driver-embedded";

await using store = await openEmbeddedStore({ dataDir: process.argv[2] });
await using events = new EmbeddedEvents({ database: store.database });
for (let turn = 0; turn < 100; turn++) {
  const event = {
    id: undefined,
    timestamp: new Date(),
    metadata: {},
    payload: Buffer.alloc(200),
    expiresAt: undefined,
  };
  await events.publish("acme", "t", event, new AbortController().signal);
  writeSync(1, "acknowledged\n");
}
