import { defaultNamespace, MicroError } from "@microts/core";
import type { BlobDriver, BlobInfo, BlobStat } from "./blob-driver.ts";
import { checkBlobKey, checkName } from "./names.ts";

/** Largest blob unless set otherwise: 1 GiB. */
export const defaultMaxBlobBytes = 1024 * 1024 * 1024;

const maxContentTypeBytes = 255;

export interface BlobsOptions {
  /** Default 1 GiB. */
  readonly maxBytes?: number | undefined;
}

export interface BlobOptions {
  /** Default `micro`. */
  readonly namespace?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface ReadBlobOptions extends BlobOptions {
  /** Leaves out so many bytes at the beginning. Default 0. */
  readonly offset?: number | undefined;
  /** At most so many bytes. Default: up to the end. */
  readonly length?: number | undefined;
}

export interface WriteBlobOptions extends BlobOptions, Partial<BlobInfo> {}

export interface ListBlobOptions extends BlobOptions {
  /** Keys that begin with this. Default: all. */
  readonly prefix?: string | undefined;
}

const never = new AbortController().signal;

/** Byte strings too large for a record, one space of keys for each namespace. */
export class Blobs {
  readonly #driver: BlobDriver;
  readonly #maxBytes: number;

  constructor(driver: BlobDriver, { maxBytes = defaultMaxBlobBytes }: BlobsOptions = {}) {
    this.#driver = driver;
    this.#maxBytes = maxBytes;
  }

  /** Creates or replaces, all at once when resolved. A failure, an abort or a blob above the limit (413) leaves what was there before. */
  async write(
    key: string,
    chunks: Uint8Array | AsyncIterable<Uint8Array>,
    options: WriteBlobOptions = {},
  ): Promise<void> {
    const { namespace = defaultNamespace, contentType = "", public: isPublic = false, signal = never } = options;
    const id = "store.Blob.Write";
    if (contentType !== "" && !/^[\x20-\x7e]*$/.test(contentType))
      throw MicroError.badRequest(id, "the content type has characters outside ASCII");
    if (contentType.length > maxContentTypeBytes)
      throw MicroError.badRequest(id, `the content type is longer than ${maxContentTypeBytes} bytes`);
    const bytes = this.#limited(key, chunks instanceof Uint8Array ? once(chunks) : chunks);
    const info = { contentType, public: isPublic };
    await wrap(
      id,
      this.#driver.write(
        checkName(namespace, "the namespace", id),
        checkBlobKey(key, "the key", id),
        info,
        bytes,
        signal,
      ),
    );
  }

  /**
   * The bytes in chunks, or undefined when there is no such blob. A range may reach beyond the end. Ends with 500, before them, at bytes that the disk
   * has altered.
   */
  async read(key: string, options: ReadBlobOptions = {}): Promise<AsyncIterable<Uint8Array> | undefined> {
    const id = "store.Blob.Read";
    const { namespace = defaultNamespace, offset = 0, length = Number.MAX_SAFE_INTEGER, signal = never } = options;
    for (const [name, value] of Object.entries({ offset, length })) {
      if (!Number.isSafeInteger(value) || value < 0)
        throw MicroError.badRequest(id, `${name} is ${value}: expected a whole number from 0`);
    }
    const [place, name] = [checkName(namespace, "the namespace", id), checkBlobKey(key, "the key", id)];
    return wrap(id, this.#driver.read(place, name, { offset, length }, signal));
  }

  /** Size, checksum and what was said when it was written; undefined when there is no such blob. */
  async stat(
    key: string,
    { namespace = defaultNamespace, signal = never }: BlobOptions = {},
  ): Promise<BlobStat | undefined> {
    const id = "store.Blob.Stat";
    const [place, name] = [checkName(namespace, "the namespace", id), checkBlobKey(key, "the key", id)];
    return wrap(id, this.#driver.stat(place, name, signal));
  }

  /** Deleting a key that is not there is not an error. */
  async delete(key: string, { namespace = defaultNamespace, signal = never }: BlobOptions = {}): Promise<void> {
    const id = "store.Blob.Delete";
    await wrap(
      id,
      this.#driver.delete(checkName(namespace, "the namespace", id), checkBlobKey(key, "the key", id), signal),
    );
  }

  /** Keys, ascending by their bytes. */
  async list({ namespace = defaultNamespace, prefix = "", signal = never }: ListBlobOptions = {}): Promise<string[]> {
    const id = "store.Blob.List";
    return wrap(
      id,
      this.#driver.list(
        checkName(namespace, "the namespace", id),
        prefix === "" ? prefix : checkBlobKey(prefix, "the prefix", id),
        signal,
      ),
    );
  }

  async *#limited(key: string, chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
    let size = 0;
    for await (const chunk of chunks) {
      size += chunk.byteLength;
      if (size > this.#maxBytes)
        throw MicroError.tooLarge(
          "store.Blob.Write",
          `the blob "${key}" has more than ${this.#maxBytes} bytes, which is the limit`,
        );
      yield chunk;
    }
  }
}

async function* once(chunk: Uint8Array): AsyncGenerator<Uint8Array, void, undefined> {
  yield chunk;
}

async function wrap<T>(id: string, answer: Promise<T>): Promise<T> {
  try {
    return await answer;
  } catch (error) {
    throw MicroError.from(error, id);
  }
}
