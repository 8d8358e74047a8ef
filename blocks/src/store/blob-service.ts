import { MicroError, requireAdmin } from "@microts/core";
import { type CallContext, type Method, methodsOf } from "@microts/core/rpc";
import { BlobStore, type BlobWriteRequest } from "@microts/proto/store";
import type { Blobs } from "./blobs.ts";

/** The endpoints of `store.BlobStore` (wire §13). Each needs an admin of the namespace it names, else of the one the call acts in (wire §11). */
export function blobMethods(blobs: Blobs): Method[] {
  return methodsOf(BlobStore, {
    async read({ key, options }, context) {
      const namespace = allowed(context, options?.namespace, "store.Blob.Read");
      const chunks = await blobs.read(key, { namespace, signal: context.signal });
      if (chunks === undefined)
        throw MicroError.notFound(
          "store.Blob.Read",
          `not found: the blob ${JSON.stringify(key)} in namespace "${namespace}"`,
        );
      return readReplies(chunks);
    },
    async write(requests, context) {
      const messages = requests[Symbol.asyncIterator]();
      const { value: first, done } = await messages.next();
      if (done || first === undefined) throw MicroError.badRequest("store.Blob.Write", "No blob was sent");
      const { key, options } = first;
      const namespace = allowed(context, options?.namespace, "store.Blob.Write");
      const info = { contentType: options?.contentType ?? "", public: options?.public ?? false };
      await blobs.write(key, bytesOf(first, messages, context.signal), { namespace, ...info, signal: context.signal });
      return {};
    },
    async delete({ key, options }, context) {
      const namespace = allowed(context, options?.namespace, "store.Blob.Delete");
      await blobs.delete(key, { namespace, signal: context.signal });
      return {};
    },
    async list({ options }, context) {
      const namespace = allowed(context, options?.namespace, "store.Blob.List");
      return { keys: await blobs.list({ namespace, prefix: options?.prefix ?? "", signal: context.signal }) };
    },
  });
}

function allowed({ account, namespace }: CallContext, named: string | undefined, id: string): string {
  const wanted = named || namespace;
  requireAdmin(account, wanted, id);
  return wanted;
}

async function* readReplies(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<{ blob: Uint8Array }, void, undefined> {
  for await (const blob of chunks) yield { blob };
}

/** Every message repeats key and options; the first one's count (wire §9). */
async function* bytesOf(
  first: BlobWriteRequest,
  rest: AsyncIterator<BlobWriteRequest>,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void, undefined> {
  yield first.blob;
  for (let next = await rest.next(); !next.done; next = await rest.next()) yield next.value.blob;
  // A caller that broke off must not leave half a blob that looks like a whole one.
  signal.throwIfAborted();
}
