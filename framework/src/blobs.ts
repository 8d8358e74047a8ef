import { type BlobStat, Blobs, RemoteBlobs } from "@microts/blocks/store";
import { MicroError } from "@microts/core";
import { connection, inherited } from "./connection.ts";

export type { BlobStat };

export interface WriteBlobOptions {
  /** A media type such as `image/png`. Default none. */
  readonly contentType?: string;
  /** Whether anybody may read it, signed in or not. Default false. */
  readonly public?: boolean;
}

export interface ReadBlobOptions {
  /** Leaves out so many bytes at the beginning. Default 0. */
  readonly offset?: number;
  /** At most so many bytes. Default: up to the end. */
  readonly length?: number;
}

let opened: Blobs | undefined;

function open(): Blobs {
  opened ??= new Blobs(new RemoteBlobs(connection().rpc));
  return opened;
}

export const blobs = {
  /**
   * Creates or replaces, all at once when it resolves, and survives a crash of the server from then on. Text is kept as UTF-8. When the source throws,
   * the call that this runs in ends or the connection is cut, what was there before stays.
   */
  async write(
    key: string,
    content: Uint8Array | string | AsyncIterable<Uint8Array>,
    options: WriteBlobOptions = {},
  ): Promise<void> {
    if (typeof content !== "string" && !(content instanceof Uint8Array) && !isStream(content))
      throw MicroError.badRequest(
        "store.Blob.Write",
        `the content of "${key}" has to be a text, a Uint8Array or a stream of them, and is ${typeof content}`,
      );
    await open().write(key, typeof content === "string" ? Buffer.from(content) : content, { ...scope(), ...options });
  },

  /** The bytes in chunks, or undefined when there is no such blob. The loop throws 500 before bytes that the server's disk has altered. */
  async stream(key: string, options: ReadBlobOptions = {}): Promise<AsyncIterable<Uint8Array> | undefined> {
    return open().read(key, { ...scope(), ...options });
  },

  /** The bytes at once, or undefined when there is no such blob. Throws 500 for bytes that the server's disk has altered. */
  async read(key: string, options: ReadBlobOptions = {}): Promise<Uint8Array | undefined> {
    const chunks = await this.stream(key, options);
    return chunks && Buffer.concat(await Array.fromAsync(chunks));
  },

  /** Size, SHA-256, content type, whether it is public and when it was written; undefined when there is no such blob. */
  async stat(key: string): Promise<BlobStat | undefined> {
    return open().stat(key, scope());
  },

  /** Deleting a key that isn't there is fine. */
  async delete(key: string): Promise<void> {
    await open().delete(key, scope());
  },

  /** Keys that begin with a prefix, by their bytes. Default: all. */
  async list({ prefix = "" }: { readonly prefix?: string } = {}): Promise<string[]> {
    return open().list({ ...scope(), prefix });
  },
} as const;

function isStream(content: unknown): boolean {
  return typeof content === "object" && content !== null && Symbol.asyncIterator in content;
}

function scope() {
  const { signal } = inherited();
  return { namespace: connection().env.namespace, signal };
}
