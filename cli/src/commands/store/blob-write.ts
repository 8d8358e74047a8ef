import { open } from "node:fs/promises";
import { resolve } from "node:path";
import type { Readable } from "node:stream";
import { command } from "../../command.ts";
import type { Context } from "../../context.ts";
import { CommandError, usageError } from "../../failure.ts";
import { Progress } from "../../progress.ts";
import { blobClient } from "./blob-client.ts";

/** Bytes in one message. */
const chunkBytes = 64 * 1024;

interface Source extends AsyncDisposable {
  readonly bytes: AsyncIterable<Uint8Array>;
  /** Undefined for what has no end yet. */
  readonly size: number | undefined;
}

export const writeBlob = command({
  summary: "Write a file, or standard input, as a blob; it is replaced all at once",
  args: "<key> [file]",
  plainErrors: true,
  examples: [
    "store blob write avatars/jane jane.png --content_type image/png --public",
    "store blob write backup.sql < backup.sql",
  ],
  flags: {
    content_type: { kind: "text", help: "media type, such as image/png (default: none)" },
    public: { kind: "bool", help: "anybody may read it, signed in or not" },
  },
  run: async (context, { content_type: contentType = "", public: isPublic }, [key = "", file]) => {
    const { out, session, signal, stderr } = context;
    await using source = await sourceOf(context, file);
    const client = await blobClient(session);
    const options = { namespace: await session.namespace(), contentType, public: isPublic };
    const progress = new Progress(stderr, !out.isJson, "bytes", source.size);
    const messages = async function* () {
      // What is empty needs a message too.
      yield { key, options };
      for await (const bytes of source.bytes) {
        for (let at = 0; at < bytes.byteLength; at += chunkBytes)
          yield { key, options, blob: bytes.subarray(at, at + chunkBytes) };
        progress.add(bytes.byteLength);
      }
    };
    try {
      await client.write(messages(), { signal });
    } finally {
      progress.end();
    }
    await out.result({ key, size: progress.done }, `${progress.done} bytes in ${key}\n`);
  },
});

async function sourceOf({ folder, stdin }: Context, file: string | undefined): Promise<Source> {
  if (file === undefined || file === "-") {
    if (stdin.isTTY) throw usageError("micro store blob write needs a file, or bytes on standard input");
    // Left open, it would keep the process.
    return { bytes: stdin as Readable, size: undefined, [Symbol.asyncDispose]: async () => void stdin.destroy() };
  }
  const path = resolve(folder, file);
  try {
    const handle = await open(path);
    const stat = await handle.stat();
    if (stat.isDirectory()) {
      await handle.close();
      throw new Error("it is a folder");
    }
    const bytes = handle.createReadStream({ autoClose: false, highWaterMark: 4 * chunkBytes });
    const size = stat.isFile() ? stat.size : undefined;
    return { bytes, size, [Symbol.asyncDispose]: () => handle.close() };
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw new CommandError(1, `can't read ${path}: ${code === "ENOENT" ? "there is no such file" : message}`, 404);
  }
}
