import { createReadStream } from "node:fs";
import { pipeline } from "node:stream/promises";
import { pack } from "tar-stream";
import { usageError } from "../failure.ts";
import type { PackedFile } from "./files.ts";

/** The files as an uncompressed tar (POSIX ustar, pax for long names), in pieces of at most `chunkBytes`. Files are read as they are sent. */
export async function* archive(
  files: readonly PackedFile[],
  chunkBytes = 64 * 1024,
): AsyncGenerator<Uint8Array, void, undefined> {
  const tar = pack();
  const filling = fill(tar, files);
  // Its failure destroys the archive, whose reading below then throws it.
  filling.catch((error: unknown) => tar.destroy(error instanceof Error ? error : new Error(String(error))));
  try {
    yield* inPieces(tar, chunkBytes);
  } catch (error) {
    // It knows which file it was.
    await filling;
    throw error;
  }
  await filling;
}

async function* inPieces(stream: AsyncIterable<unknown>, size: number): AsyncGenerator<Uint8Array, void, undefined> {
  let held: Buffer[] = [];
  let heldBytes = 0;
  for await (const piece of stream) {
    for (let rest = piece as Buffer; rest.length > 0; ) {
      const taken = rest.subarray(0, size - heldBytes);
      held.push(taken);
      heldBytes += taken.length;
      rest = rest.subarray(taken.length);
      if (heldBytes < size) continue;
      yield Buffer.concat(held);
      held = [];
      heldBytes = 0;
    }
  }
  if (heldBytes > 0) yield Buffer.concat(held);
}

async function fill(tar: ReturnType<typeof pack>, files: readonly PackedFile[]): Promise<void> {
  for (const { name, path, bytes, mode } of files) {
    // A fixed date: the same files make the same archive.
    const entry = tar.entry({ name, size: bytes, mode, mtime: new Date(0) });
    try {
      await pipeline(createReadStream(path, bytes > 0 ? { end: bytes - 1 } : { end: 0 }), entry);
    } catch (error) {
      throw usageError(`cannot read ${path}: ${(error as Error).message}`);
    }
  }
  tar.finalize();
}
