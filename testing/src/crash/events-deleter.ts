/** A process that deletes the topic `large` and says when that is done; it goes on freeing its space until it is killed. Argument: data directory. */
import { EmbeddedEvents } from "../../../drivers/embedded/src/events/events.ts";
import { openEmbeddedStore } from "../../../drivers/embedded/src/store.ts";

const [dataDir = ""] = process.argv.slice(2);
const store = await openEmbeddedStore({ dataDir });
const events = new EmbeddedEvents({ database: store.database });
process.stdout.write("deleting\n");
await events.deleteTopic("acme", "large", new AbortController().signal);
process.stdout.write("deleted\n");
