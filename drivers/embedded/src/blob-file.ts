import { createHash } from "node:crypto";
import { type FileHandle, open } from "node:fs/promises";
import { crc32 } from "node:zlib";
import type { BlobRange } from "@microts/blocks/store";
import type { MicroError } from "@microts/core";

/** So many bytes have one checksum; it is what is read at once. */
const blockBytes = 256 * 1024;

/** What a file of a blob has to be. */
export interface BlobContent {
  readonly size: number;
  /** In hex. */
  readonly sha256: string;
  /** CRC-32 of each block, 4 bytes little-endian each; empty for blobs of older versions. */
  readonly checksums: Uint8Array;
}

/** Writes a new file; on disk when resolved. Leaves half a file when the chunks throw or the signal aborts. */
export async function writeBlobFile(
  path: string,
  chunks: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): Promise<BlobContent> {
  await using handle = await open(path, "wx", 0o600);
  const sum = new BlobSum();
  for await (const chunk of chunks) {
    signal.throwIfAborted();
    await handle.writeFile(chunk);
    sum.add(chunk);
  }
  signal.throwIfAborted();
  await handle.sync();
  return sum.content();
}

/** The bytes of a part. Throws 500 for a block that isn't what was written. */
export async function* readBlobFile(
  handle: FileHandle,
  { size, checksums }: Omit<BlobContent, "sha256">,
  { offset, length }: BlobRange,
  damaged: (problem: string) => MicroError,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void, undefined> {
  const end = Math.min(size, offset + length);
  const sums = new DataView(checksums.buffer, checksums.byteOffset, checksums.byteLength);
  for (let block = Math.floor(offset / blockBytes); block * blockBytes < end; block++) {
    signal.throwIfAborted();
    const start = block * blockBytes;
    const bytes = await readBlock(handle, start, Math.min(blockBytes, size - start));
    if (bytes === undefined) throw damaged(`less than its ${size} bytes are there`);
    const isWhole = checksums.byteLength === 0 || sums.getUint32(block * 4, true) === crc32(bytes);
    if (!isWhole) throw damaged(`the bytes from ${start} on were altered`);
    yield bytes.subarray(Math.max(0, offset - start), end - start);
  }
}

/** Undefined when the file is shorter. */
async function readBlock(handle: FileHandle, start: number, size: number): Promise<Uint8Array | undefined> {
  const bytes = Buffer.allocUnsafe(size);
  for (let read = 0; read < size; ) {
    const { bytesRead } = await handle.read(bytes, read, size - read, start + read);
    if (bytesRead === 0) return undefined;
    read += bytesRead;
  }
  return bytes;
}

class BlobSum {
  readonly #hash = createHash("sha256");
  readonly #blocks: number[] = [];
  #size = 0;
  #crc = 0;

  add(chunk: Uint8Array): void {
    this.#hash.update(chunk);
    for (let at = 0; at < chunk.byteLength; ) {
      const part = chunk.subarray(at, at + blockBytes - (this.#size % blockBytes));
      this.#crc = crc32(part, this.#crc);
      this.#size += part.byteLength;
      at += part.byteLength;
      if (this.#size % blockBytes === 0) this.#endBlock();
    }
  }

  content(): BlobContent {
    if (this.#size % blockBytes !== 0) this.#endBlock();
    const checksums = new Uint8Array(this.#blocks.length * 4);
    const view = new DataView(checksums.buffer);
    for (const [index, sum] of this.#blocks.entries()) view.setUint32(index * 4, sum, true);
    return { size: this.#size, sha256: this.#hash.digest("hex"), checksums };
  }

  #endBlock(): void {
    this.#blocks.push(this.#crc);
    this.#crc = 0;
  }
}
