import type { FindBlob } from "@microts/blocks/api";
import type { Blobs } from "@microts/blocks/store";

/** Blobs that anybody may have, for the gateway. */
export function publicBlobs(blobs: Blobs): FindBlob {
  return async (namespace, key, signal) => {
    const stat = await blobs.stat(key, { namespace, signal });
    if (stat?.public !== true) return undefined;
    const open = async (offset: number, length: number) => {
      const chunks = await blobs.read(key, { namespace, offset, length, signal });
      if (chunks === undefined) return undefined;
      const bytes = chunks[Symbol.asyncIterator]();
      const first = await bytes.next();
      // It may have been replaced, by a private one too, before it was opened. From here on these are its bytes, whatever becomes of it.
      const now = await blobs.stat(key, { namespace, signal });
      const isSame = now?.public && now.sha256 === stat.sha256 && now.writtenAt.getTime() === stat.writtenAt.getTime();
      if (isSame) return joined(first, bytes);
      await bytes.return?.();
      return undefined;
    };
    return { ...stat, open };
  };
}

async function* joined(
  first: IteratorResult<Uint8Array>,
  rest: AsyncIterator<Uint8Array>,
): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    for (let next = first; !next.done; next = await rest.next()) yield next.value;
  } finally {
    await rest.return?.();
  }
}
