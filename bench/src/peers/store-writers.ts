/**
 * Writers of the store in a process of their own, so that what they cost isn't taken for the latency of calls that another process times. Run
 * as `store-writers.ts <host:port> <authorization>`; writes from the message "write" to the message "rest", which it answers with how many
 * writes were acknowledged.
 */
import { setPriority } from "node:os";
import { RpcClient, serviceClient } from "@microts/core/rpc";
import { Store } from "@microts/proto/store";
import { recordKey, recordValue } from "./record.ts";

export const storeWritersFile = import.meta.filename;

const inFlight = 64;
/** Of all processes of a machine the least: what the writers themselves cost must not be taken from the server. */
const lowest = 19;

if (import.meta.main) {
  const [, , proxy = "", authorization = ""] = process.argv;
  setPriority(lowest);
  await using rpc = new RpcClient({ resolve: () => proxy, metadata: () => ({ authorization }) });
  const client = serviceClient(Store, rpc, "store");
  let operation = 0;
  let done = 0;
  let isWriting = false;
  let slots: Promise<unknown> = Promise.resolve();
  const write = async () => {
    while (isWriting) {
      await client.write({ record: { key: recordKey(operation++), value: recordValue } });
      done++;
    }
  };
  process.on("message", async (message) => {
    if (message === "write") {
      done = 0;
      isWriting = true;
      slots = Promise.all(Array.from({ length: inFlight }, write));
    }
    if (message === "rest") {
      isWriting = false;
      await slots;
      process.send?.(done);
    }
  });
  process.channel?.ref();
  process.send?.("ready");
  await new Promise((resolve) => process.once("disconnect", resolve));
}
