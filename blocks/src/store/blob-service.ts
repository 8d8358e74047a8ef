import { MicroError, requireAdmin } from "@microts/core";
import { type CallContext, type Method, methodsOf } from "@microts/core/rpc";
import { BlobStore, type BlobWriteRequest } from "@microts/proto/store";
import type { Blobs } from "./blobs.ts";

/** The endpoints of `store.BlobStore` (wire §13). Each needs an admin of the namespace it names, else of the one the call acts in (wire §11); public blobs are read by anybody. */
export function blobMethods(blobs: Blobs): Method[] {
  return methodsOf(BlobStore, {
    async read({ key, options, offset, length }, context) {
      const namespace = await allowedToRead(blobs, context, key, options?.namespace, "store.Blob.Read");
      const range = { offset: Number(offset), ...(length !== 0n && { length: Number(length) }) };
      const chunks = await blobs.read(key, { namespace, ...range, signal: context.signal });
      if (chunks === undefined) throw notFound("store.Blob.Read", key, namespace);
      return readReplies(chunks);
    },
    async stat({ key, options }, context) {
      const namespace = await allowedToRead(blobs, context, key, options?.namespace, "store.Blob.Stat");
      const stat = await blobs.stat(key, { namespace, signal: context.signal });
      if (stat === undefined) throw notFound("store.Blob.Stat", key, namespace);
      const { size, writtenAt, ...rest } = stat;
      return { ...rest, size: BigInt(size), writtenMs: BigInt(writtenAt.getTime()) };
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

/** Anybody may read what is public; whoever may not learns nothing of what there is. */
async function allowedToRead(
  blobs: Blobs,
  context: CallContext,
  key: string,
  named: string | undefined,
  id: string,
): Promise<string> {
  try {
    return allowed(context, named, id);
  } catch (error) {
    const namespace = named || context.namespace;
    const stat = await blobs.stat(key, { namespace, signal: context.signal }).catch(() => undefined);
    if (stat?.public) return namespace;
    throw error;
  }
}

function notFound(id: string, key: string, namespace: string): MicroError {
  return MicroError.notFound(id, `not found: the blob ${JSON.stringify(key)} in namespace "${namespace}"`);
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
