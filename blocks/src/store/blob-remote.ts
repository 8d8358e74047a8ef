import { MicroError } from "@microts/core";
import { openStream, type RpcClient, type ServiceClient, serviceClient } from "@microts/core/rpc";
import { BlobStore } from "@microts/proto/store";
import { type BlobDriver, type BlobInfo, type BlobRange, type BlobStat, wholeBlob } from "./blob-driver.ts";

/** Bytes in one message. */
const chunkBytes = 64 * 1024;

/** The platform's blobs over RPC. */
export class RemoteBlobs implements BlobDriver {
  readonly name = "remote";
  readonly #rpc: RpcClient;
  readonly #blobs: ServiceClient<(typeof BlobStore)["method"]>;

  constructor(rpc: RpcClient) {
    this.#rpc = rpc;
    this.#blobs = serviceClient(BlobStore, rpc, "store");
  }

  async write(
    namespace: string,
    key: string,
    info: BlobInfo,
    chunks: AsyncIterable<Uint8Array>,
    signal: AbortSignal,
  ): Promise<void> {
    const options = { namespace, public: info.public, contentType: info.contentType };
    const messages = async function* () {
      let sent = false;
      for await (const chunk of chunks) {
        for (let at = 0; at < chunk.byteLength; at += chunkBytes) {
          sent = true;
          yield { key, options, blob: chunk.subarray(at, at + chunkBytes) };
        }
      }
      if (!sent) yield { key, options };
    };
    await this.#blobs.write(messages(), { signal });
  }

  async read(
    namespace: string,
    key: string,
    { offset, length }: BlobRange,
    signal: AbortSignal,
  ): Promise<AsyncIterable<Uint8Array> | undefined> {
    // On the wire 0 bytes mean all of them.
    if (length === 0) return (await this.stat(namespace, key, signal)) && nothing();
    const range = { offset: BigInt(offset), length: BigInt(length === wholeBlob.length ? 0 : length) };
    try {
      const replies = await openStream(
        BlobStore.method.read,
        this.#rpc,
        "store",
        { key, options: { namespace }, ...range },
        { signal },
      );
      return bytesOf(replies);
    } catch (error) {
      if (error instanceof MicroError && error.code === 404) return undefined;
      throw error;
    }
  }

  async stat(namespace: string, key: string, signal: AbortSignal): Promise<BlobStat | undefined> {
    try {
      const stat = await this.#blobs.stat({ key, options: { namespace } }, { signal });
      const { contentType, sha256, size, writtenMs } = stat;
      return {
        contentType,
        sha256,
        public: stat.public,
        size: Number(size),
        writtenAt: new Date(Number(writtenMs)),
      };
    } catch (error) {
      if (error instanceof MicroError && error.code === 404) return undefined;
      throw error;
    }
  }

  async delete(namespace: string, key: string, signal: AbortSignal): Promise<void> {
    await this.#blobs.delete({ key, options: { namespace } }, { signal });
  }

  async list(namespace: string, prefix: string, signal: AbortSignal): Promise<string[]> {
    return (await this.#blobs.list({ options: { namespace, prefix } }, { signal })).keys;
  }

  /** The RPC client is its owner's to close. */
  async [Symbol.asyncDispose](): Promise<void> {}
}

async function* nothing(): AsyncGenerator<Uint8Array, void, undefined> {}

async function* bytesOf(
  replies: AsyncIterable<{ readonly blob: Uint8Array }>,
): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const { blob } of replies) yield blob;
}
