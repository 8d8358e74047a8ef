/** A process that serves `store.Store` of a data directory, its first argument, on a free port, and says which on standard output. */
import { Store, storeMethods } from "@microts/blocks/store";
import { openEmbeddedStore } from "../../../drivers/embedded/src/store.ts";
import { serveMethods, testAdmin } from "../remote.ts";

const [dataDir = ""] = process.argv.slice(2);
const store = await openEmbeddedStore({ dataDir });
const { address } = await serveMethods("store", storeMethods(new Store(store)), { account: testAdmin });
process.stdout.write(`${address}\n`);
