import type { RotationProgress } from "@microts/blocks/config";
import { MicroError } from "@microts/core";
import type { KeyedMutex } from "../keyed-mutex.ts";
import { type ConfigNode, exchanged, type SealedLeaf, secretsOf } from "./document.ts";
import type { DataKeys, Keyring } from "./keyring.ts";
import type { RootKeys } from "./root-keys.ts";
import { keyIdOf, openSecret, StaleKeys, sealSecret } from "./secrets.ts";
import type { ConfigTables } from "./tables.ts";
import { inTurns } from "./turns.ts";

const never = new AbortController().signal;

export interface RotationParts {
  readonly tables: ConfigTables;
  readonly roots: RootKeys;
  readonly keyring: Keyring;
  /** Held for a namespace while its keys or its document change. */
  readonly mutex: KeyedMutex;
}

/**
 * Puts every secret under new keys, namespace by namespace. Each step is one write that leaves everything readable: first the new key joins the old ones,
 * then the document is sealed anew, then the old keys go. A process that dies in between leaves a namespace with several keys, or one under an old root
 * key; the next `isResumed` rotation takes it from there. Ends early when the signal aborts.
 */
export async function* rotate(
  parts: RotationParts,
  isResumed: boolean,
  signal: AbortSignal,
): AsyncGenerator<RotationProgress, void, undefined> {
  const { tables, roots, keyring } = parts;
  keyring.rootKey();
  if (!isResumed) await roots.renew();
  const namespaces = await tables.namespacesWithKeys();
  const sealed: string[] = [];
  let [done, secrets] = [0, 0];
  yield { done, total: namespaces.length, secrets, sealed: [] };
  for (const namespace of namespaces) {
    if (signal.aborted) return;
    const moved = await rotateNamespace(parts, namespace, isResumed);
    if (moved === undefined) sealed.push(namespace);
    else secrets += moved;
    done++;
    yield { done, total: namespaces.length, secrets, sealed: [...sealed] };
  }
  // A root key that somebody's data keys may need stays.
  if (sealed.length === 0) await roots.retire();
}

/** How many secrets were sealed anew; undefined when a key that they need isn't there, and nothing was changed. */
function rotateNamespace(parts: RotationParts, namespace: string, isResumed: boolean): Promise<number | undefined> {
  const { keyring, mutex } = parts;
  return mutex.run(namespace, async () => {
    let keys = await keyring.load(namespace, never);
    if (keys.isSealed) return (await forgetUnused(parts, namespace)) ? 0 : undefined;
    if (isResumed && keyring.isSettled(keys)) return 0;
    if (!isResumed) keys = await keyring.renew(namespace, keys);
    const moved = await sealAnew(parts, namespace, keys);
    await keyring.retire(namespace, keys);
    return moved;
  });
}

/** Keys that can't be had matter no more once no secret needs them. */
async function forgetUnused({ tables, keyring }: RotationParts, namespace: string): Promise<boolean> {
  const root = await tables.document(namespace, never);
  if (root !== undefined && !secretsOf(root).next().done) return false;
  await keyring.forget(namespace);
  return true;
}

/** Seals what isn't under the key in use. What can't be opened with any key stays as it is: it is lost, and must not hold up the rest. */
async function sealAnew({ tables, keyring }: RotationParts, namespace: string, keys: DataKeys): Promise<number> {
  const root = await tables.document(namespace, never);
  const { current } = keys;
  if (root === undefined || current === undefined) return 0;
  const anew = new Map<ConfigNode, SealedLeaf>();
  for await (const { path, leaf } of inTurns(secretsOf(root))) {
    if (keyIdOf(leaf) === current.id) continue;
    const text = textOf(() => openSecret(keyring, keys, namespace, path, leaf));
    if (text !== undefined) anew.set(leaf, sealSecret(current, namespace, path, text, leaf.n));
  }
  if (anew.size > 0) await tables.writeDocument(namespace, exchanged(root, anew));
  return anew.size;
}

function textOf(open: () => string): string | undefined {
  try {
    return open();
  } catch (error) {
    if (error instanceof StaleKeys || error instanceof MicroError) return undefined;
    throw error;
  }
}
