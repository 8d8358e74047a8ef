import type { Json } from "@microts/blocks/config";
import { type ConfigObject, jsonOf, nodeAt, type SealedLeaf, secretsOf } from "./document.ts";
import type { DataKeys, Keyring } from "./keyring.ts";
import { damaged, openSecret, StaleKeys } from "./secrets.ts";
import { inTurns } from "./turns.ts";

const mask = "[secret]";

/** Shows what documents say. */
export class ConfigView {
  readonly #keyring: Keyring;

  constructor(keyring: Keyring) {
    this.#keyring = keyring;
  }

  /** The value at a path of the document; secrets stay masked without keys. Throws StaleKeys when keys and document don't belong together. */
  async show(
    namespace: string,
    path: readonly string[],
    keys: DataKeys | undefined,
    root: ConfigObject | undefined,
  ): Promise<Json | undefined> {
    const node = root === undefined ? undefined : nodeAt(root, path);
    if (node === undefined) return undefined;
    if (keys === undefined) return jsonOf(node, () => mask);
    const opened = new Map<SealedLeaf, Json>();
    for await (const { path: at, leaf } of inTurns(secretsOf(node, path)))
      opened.set(leaf, JSON.parse(openSecret(this.#keyring, keys, namespace, at, leaf)));
    return jsonOf(node, (leaf) => opened.get(leaf) ?? null);
  }

  /** As `show`, for keys that are no older than the document: a secret whose key isn't among them is lost. */
  async showAll(
    namespace: string,
    path: readonly string[],
    keys: DataKeys | undefined,
    root: ConfigObject | undefined,
  ): Promise<Json | undefined> {
    try {
      return await this.show(namespace, path, keys, root);
    } catch (error) {
      throw error instanceof StaleKeys ? damaged(path) : error;
    }
  }
}
