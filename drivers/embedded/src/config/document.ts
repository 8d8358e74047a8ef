import { isObject, type Json } from "@microts/blocks/config";

/** A document as it is kept: every leaf says whether it is plain or sealed, so that no value can pass for a secret. Never changed, only replaced. */
export type ConfigNode = ConfigObject | PlainLeaf | SealedLeaf;

export interface ConfigObject {
  readonly o: Readonly<Record<string, ConfigNode>>;
  /** At the root: how often the document was changed. */
  readonly r?: number;
}

export interface PlainLeaf {
  readonly v: Json;
}

/** A secret and the version of the document that it came with. */
export interface SealedLeaf {
  readonly s: string;
  readonly n: number;
}

/** A leaf and where it stands. */
export interface Placed<T> {
  readonly path: readonly string[];
  readonly leaf: T;
}

/** An object without keys and without a prototype. */
export function emptyNode(): ConfigObject {
  return { o: Object.create(null) };
}

/** Reads what `textPieces` wrote. */
export function parseDocument(text: string): ConfigObject {
  return JSON.parse(text, (_, value: Json) => (isObject(value) ? Object.assign(Object.create(null), value) : value));
}

/** The JSON text of a document, leaf by leaf. */
export function* textPieces(node: ConfigObject): Generator<string> {
  let separator = '{"o":{';
  for (const key in node.o) {
    const child = node.o[key] as ConfigNode;
    yield `${separator}${JSON.stringify(key)}:`;
    if ("o" in child) yield* textPieces(child);
    else yield JSON.stringify(child);
    separator = ",";
  }
  if (separator !== ",") yield separator;
  yield node.r === undefined ? "}}" : `},"r":${node.r}}`;
}

export function nodeAt(root: ConfigObject, path: readonly string[]): ConfigNode | undefined {
  let node: ConfigNode | undefined = root;
  for (const key of path) {
    if (node === undefined || !("o" in node)) return undefined;
    node = node.o[key];
  }
  return node;
}

/** The document with a value at a path (not empty), and parents as needed; an object is merged into an object leaf by leaf. `leaf` makes the leaves, in the order of `leavesOf`. */
export function setAt(
  root: ConfigObject,
  path: readonly string[],
  value: Json,
  leaf: (value: Json) => ConfigNode,
): ConfigObject {
  return replaced(root, path, (node) => merged(node, value, leaf));
}

/** The document without the node at a path; its parents stay. */
export function deleteAt(root: ConfigObject, path: readonly string[]): ConfigObject {
  return nodeAt(root, path) === undefined ? root : replaced(root, path, () => undefined);
}

/** The value of a node, which shares nothing with it; `open` reads the secrets. Objects have no prototype. */
export function jsonOf(node: ConfigNode, open: (sealed: SealedLeaf) => Json): Json {
  if ("s" in node) return open(node);
  if ("v" in node) return copyOf(node.v);
  const value: Record<string, Json> = Object.create(null);
  for (const key in node.o) value[key] = jsonOf(node.o[key] as ConfigNode, open);
  return value;
}

function copyOf(json: Json): Json {
  if (Array.isArray(json)) return json.map(copyOf);
  if (!isObject(json)) return json;
  const copy: Record<string, Json> = Object.create(null);
  for (const key in json) copy[key] = copyOf(json[key] as Json);
  return copy;
}

/** Every secret at a node and below it. */
export function* secretsOf(node: ConfigNode, path: readonly string[] = []): Generator<Placed<SealedLeaf>> {
  if ("s" in node) yield { path, leaf: node };
  else if ("o" in node) for (const key in node.o) yield* secretsOf(node.o[key] as ConfigNode, [...path, key]);
}

/** Every leaf that a value becomes when it is set at a path. */
export function* leavesOf(value: Json, path: readonly string[]): Generator<Placed<Json>> {
  if (!isObject(value)) yield { path, leaf: value };
  else for (const key in value) yield* leavesOf(value[key] as Json, [...path, key]);
}

/** The document with other leaves in the place of some. */
export function exchanged(node: ConfigObject, leaves: ReadonlyMap<ConfigNode, ConfigNode>): ConfigObject {
  const o: Record<string, ConfigNode> = Object.create(null);
  for (const key in node.o) {
    const child = node.o[key] as ConfigNode;
    o[key] = "o" in child ? exchanged(child, leaves) : (leaves.get(child) ?? child);
  }
  return { ...node, o };
}

/** A copy of the objects on the way to a node, with another node there or none. */
function replaced(
  node: ConfigNode | undefined,
  [key, ...rest]: readonly string[],
  make: (node: ConfigNode | undefined) => ConfigNode | undefined,
): ConfigObject {
  const object = node !== undefined && "o" in node ? node : emptyNode();
  if (key === undefined) return object;
  const next = rest.length > 0 ? replaced(object.o[key], rest, make) : make(object.o[key]);
  const o: Record<string, ConfigNode> = Object.assign(Object.create(null), object.o);
  if (next === undefined) delete o[key];
  else o[key] = next;
  return { ...object, o };
}

function merged(node: ConfigNode | undefined, value: Json, leaf: (value: Json) => ConfigNode): ConfigNode {
  if (!isObject(value)) return leaf(value);
  const object = node !== undefined && "o" in node ? node : emptyNode();
  const o: Record<string, ConfigNode> = Object.assign(Object.create(null), object.o);
  for (const key in value) o[key] = merged(o[key], value[key] as Json, leaf);
  return { ...object, o };
}
