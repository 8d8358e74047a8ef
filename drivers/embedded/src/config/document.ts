import { isObject, type Json } from "@microts/blocks/config";

/** A document as it is kept: every leaf says whether it is plain or sealed, so that no value can pass for a secret. */
export type ConfigNode = ConfigObject | { readonly v: Json } | SealedLeaf;

export interface ConfigObject {
  readonly o: Record<string, ConfigNode>;
  /** At the root: how often the document was changed. */
  r?: number;
}

/** A secret and the version of the document that it came with. */
export interface SealedLeaf {
  readonly s: string;
  readonly n: number;
}

type Leaf = (value: Json, path: readonly string[]) => ConfigNode;

/** An object without keys and without a prototype. */
export function emptyNode(): ConfigObject {
  return { o: Object.create(null) };
}

/** Reads what `JSON.stringify` wrote. */
export function parseDocument(text: string): ConfigObject {
  return JSON.parse(text, (_, value: Json) => (isObject(value) ? Object.assign(Object.create(null), value) : value));
}

export function nodeAt(root: ConfigObject, path: readonly string[]): ConfigNode | undefined {
  let node: ConfigNode | undefined = root;
  for (const key of path) {
    if (node === undefined || !("o" in node)) return undefined;
    node = node.o[key];
  }
  return node;
}

/** Sets a value, making parents as needed; an object is merged into an object leaf by leaf. `leaf` makes the leaves. */
export function setAt(root: ConfigObject, path: readonly string[], value: Json, leaf: Leaf): void {
  const last = path.at(-1);
  if (last === undefined) return;
  let node = root;
  for (const key of path.slice(0, -1)) {
    const child = node.o[key];
    const next: ConfigObject = child !== undefined && "o" in child ? child : emptyNode();
    node.o[key] = next;
    node = next;
  }
  node.o[last] = merged(node.o[last], value, path, leaf);
}

/** Removes the node at a path; its parents stay. */
export function deleteAt(root: ConfigObject, path: readonly string[]): void {
  const last = path.at(-1);
  const parent = nodeAt(root, path.slice(0, -1));
  if (last !== undefined && parent !== undefined && "o" in parent) delete parent.o[last];
}

/** The value of a node; `open` reads the secrets. Objects have no prototype. */
export function jsonOf(
  node: ConfigNode,
  path: readonly string[],
  open: (sealed: SealedLeaf, path: readonly string[]) => Json,
): Json {
  if ("s" in node) return open(node, path);
  if ("v" in node) return node.v;
  const value: Record<string, Json> = Object.create(null);
  for (const [key, child] of Object.entries(node.o)) value[key] = jsonOf(child, [...path, key], open);
  return value;
}

/** The place of a secret: its path, and a way to put another leaf there. */
export interface SecretPlace {
  readonly path: readonly string[];
  readonly leaf: SealedLeaf;
  replace(leaf: SealedLeaf): void;
}

/** Every secret of a document. */
export function* secretsOf(node: ConfigObject, path: readonly string[] = []): Generator<SecretPlace> {
  for (const [key, child] of Object.entries(node.o)) {
    const here = [...path, key];
    if ("o" in child) yield* secretsOf(child, here);
    else if ("s" in child) {
      const replace = (leaf: SealedLeaf) => {
        node.o[key] = leaf;
      };
      yield { path: here, leaf: child, replace };
    }
  }
}

function merged(node: ConfigNode | undefined, value: Json, path: readonly string[], leaf: Leaf): ConfigNode {
  if (!isObject(value)) return leaf(value, path);
  const object = node !== undefined && "o" in node ? node : emptyNode();
  for (const [key, child] of Object.entries(value)) {
    object.o[key] = merged(object.o[key], child, [...path, key], leaf);
  }
  return object;
}
