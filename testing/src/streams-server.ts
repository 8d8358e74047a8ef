/** The `events` service alone, as a process of its own; says its address. Argument: data directory. */
import { Events, eventsMethods } from "@microts/blocks/events";
import { EmbeddedEvents, openEmbeddedStore } from "@microts/driver-embedded";
import { serveMethods, testAdmin } from "./remote.ts";

const store = await openEmbeddedStore({ dataDir: process.argv[2] });
const events = new Events(new EmbeddedEvents({ database: store.database }));
const { address } = await serveMethods("events", eventsMethods(events), { account: testAdmin });
process.stdout.write(`serving ${address} as ${process.pid}\n`);
