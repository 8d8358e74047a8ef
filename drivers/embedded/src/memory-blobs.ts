import { createHash } from "node:crypto";
import type { BlobDriver, BlobInfo, BlobRange, BlobStat } from "@microts/blocks/store";

interface MemoryBlob {
  readonly bytes: Buffer;
  readonly stat: BlobStat;
}

/** What is given at once. */
const chunkBytes = 256 * 1024;

/** Blobs in memory, for a database that is there as well. They end with the process. */
export class MemoryBlobs implements BlobDriver {
  readonly name = "embedded";
  readonly #namespaces = new Map<string, Map<string, MemoryBlob>>();

  async write(
    namespace: string,
    key: string,
    info: BlobInfo,
    chunks: AsyncIterable<Uint8Array>,
    signal: AbortSignal,
  ): Promise<void> {
    const parts: Uint8Array[] = [];
    for await (const chunk of chunks) {
      signal.throwIfAborted();
      // Not `slice`: that of a Buffer shares its memory.
      parts.push(new Uint8Array(chunk));
    }
    signal.throwIfAborted();
    const bytes = Buffer.concat(parts);
    const { contentType, public: isPublic } = info;
    const sha256 = createHash("sha256").update(bytes).digest("hex");
    const stat = { contentType, public: isPublic, size: bytes.length, sha256, writtenAt: new Date() };
    const blobs = this.#namespaces.get(namespace) ?? new Map<string, MemoryBlob>();
    this.#namespaces.set(namespace, blobs.set(key, { bytes, stat }));
  }

  async read(
    namespace: string,
    key: string,
    range: BlobRange,
    signal: AbortSignal,
  ): Promise<AsyncIterable<Uint8Array> | undefined> {
    signal.throwIfAborted();
    const blob = this.#find(namespace, key);
    return blob && chunksOf(blob.bytes, range, signal);
  }

  async stat(namespace: string, key: string, signal: AbortSignal): Promise<BlobStat | undefined> {
    signal.throwIfAborted();
    return this.#find(namespace, key)?.stat;
  }

  async delete(namespace: string, key: string, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const blobs = this.#namespaces.get(namespace);
    if (blobs?.delete(key) && blobs.size === 0) this.#namespaces.delete(namespace);
  }

  async list(namespace: string, prefix: string, signal: AbortSignal): Promise<string[]> {
    signal.throwIfAborted();
    const keys = [...(this.#namespaces.get(namespace)?.keys() ?? [])].filter((key) => key.startsWith(prefix));
    return keys.toSorted((one, other) => Buffer.compare(Buffer.from(one), Buffer.from(other)));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#namespaces.clear();
  }

  #find(namespace: string, key: string): MemoryBlob | undefined {
    return this.#namespaces.get(namespace)?.get(key);
  }
}

/** Copies: who reads may do what they like with them. */
async function* chunksOf(
  bytes: Buffer,
  { offset, length }: BlobRange,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void, undefined> {
  const end = Math.min(bytes.length, offset + length);
  for (let at = offset; at < end; at += chunkBytes) {
    signal.throwIfAborted();
    yield new Uint8Array(bytes.subarray(at, Math.min(end, at + chunkBytes)));
  }
}
