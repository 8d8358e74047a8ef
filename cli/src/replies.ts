import { CommandError } from "./failure.ts";
import { compactJson, indentJson } from "./json.ts";
import type { Output } from "./output.ts";

/** Prints each reply as it comes: set out with tabs, on one line (`json`), or its bytes alone (`raw`). */
export async function printReplies(replies: AsyncIterable<Uint8Array>, format: string, out: Output): Promise<void> {
  for await (const reply of replies) {
    if (format === "raw") {
      await out.write(reply);
      continue;
    }
    const text = format === "json" ? compactJson(reply) : indentJson(reply);
    if (text === undefined) throw new CommandError(3, "a reply is not JSON. See it as it is with: --output raw", 500);
    await out.write(`${text}\n`);
  }
}
