interface Node<T> {
  readonly entries: Set<T>;
  readonly children: Map<string, Node<T>>;
}

/** Finds the entries whose pattern means a topic: `*` is one part, `>` at the end one or more (behaviour of NATS subjects). */
export class TopicIndex<T> {
  readonly #root: Node<T> = newNode();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  add(pattern: string, entry: T): void {
    let node = this.#root;
    for (const part of pattern.split(".")) {
      const next: Node<T> = node.children.get(part) ?? newNode();
      node.children.set(part, next);
      node = next;
    }
    node.entries.add(entry);
    this.#size++;
  }

  /** Leaves nothing behind of a pattern that nobody uses any more. */
  remove(pattern: string, entry: T): void {
    const parts = pattern.split(".");
    const way = [this.#root];
    for (const part of parts) {
      const next = way.at(-1)?.children.get(part);
      if (next === undefined) return;
      way.push(next);
    }
    if (way.at(-1)?.entries.delete(entry)) this.#size--;
    for (let at = parts.length; at > 0; at--) {
      const { entries, children } = way[at] as Node<T>;
      if (entries.size > 0 || children.size > 0) return;
      way[at - 1]?.children.delete(parts[at - 1] as string);
    }
  }

  /** In no particular order. Visits a node once at most, so a topic costs no more than there are patterns. */
  match(topic: string): T[] {
    const found: T[] = [];
    collect(this.#root, topic.split("."), 0, found);
    return found;
  }
}

function collect<T>(node: Node<T>, parts: readonly string[], at: number, found: T[]): void {
  if (at === parts.length) {
    found.push(...node.entries);
    return;
  }
  found.push(...(node.children.get(">")?.entries ?? []));
  for (const part of [parts[at] as string, "*"]) {
    const next = node.children.get(part);
    if (next !== undefined) collect(next, parts, at + 1, found);
  }
}

function newNode<T>(): Node<T> {
  return { entries: new Set(), children: new Map() };
}
