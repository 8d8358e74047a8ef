import { resolve } from "node:path";
import { command } from "../../command.ts";
import { usageError } from "../../failure.ts";
import { Progress } from "../../progress.ts";
import { writeWhole } from "../../whole-file.ts";
import { blobClient } from "./blob-client.ts";

type Take = (bytes: Uint8Array) => Promise<void>;

export const readBlob = command({
  summary: "Write a blob, or a part of it, to a file or standard output",
  args: "<key> [file]",
  plainErrors: true,
  examples: [
    "store blob read avatars/jane jane.png",
    "store blob read photos.tar.gz | tar tz",
    "store blob read log.txt --offset 1000 --length 80",
  ],
  flags: {
    offset: { kind: "int", short: "o", help: "leave out so many bytes at the beginning" },
    length: { kind: "int", short: "l", help: "at most so many bytes (default: up to the end)" },
  },
  run: async (context, { offset = 0, length }, [key = "", file]) => {
    const { out, session, signal, stderr, folder } = context;
    if (length === 0) throw usageError("--length must be 1 or more, not 0");
    const client = await blobClient(session);
    const options = { namespace: await session.namespace() };
    const size = Number((await client.stat({ key, options }, { signal })).size);
    const wanted = Math.min(length ?? Number.POSITIVE_INFINITY, Math.max(0, size - offset));
    const isToFile = file !== undefined && file !== "-";
    const progress = new Progress(stderr, !out.isJson, "bytes", wanted);
    const range = { offset: BigInt(offset), length: BigInt(length ?? 0) };
    const copy = async (take: Take) => {
      for await (const { blob } of client.read({ key, options, ...range }, { signal })) {
        await take(blob);
        progress.add(blob.byteLength);
      }
    };
    try {
      if (isToFile)
        await writeWhole(resolve(folder, file), 0o666, (handle) => copy((bytes) => handle.writeFile(bytes)));
      else await copy((bytes) => out.write(bytes));
    } finally {
      progress.end();
    }
    if (isToFile)
      await out.result({ file: resolve(folder, file), size: progress.done }, `${progress.done} bytes in ${file}\n`);
  },
});
