import type { StoredContent } from "./store-rows.ts";

interface Entry {
  /** Undefined: there is no record. */
  readonly content: StoredContent | undefined;
  readonly bytes: number;
}

/** A read whose outcome may be kept, unless its key is written meanwhile. */
interface Fill {
  readonly name: string;
  readonly hash: number;
  /** How many writes there were when it began. */
  readonly changes: number;
}

interface CacheLimits {
  /** Bytes of keys and contents altogether, with what they cost besides. */
  readonly maxBytes: number;
  /** Larger contents are not kept. */
  readonly maxEntryBytes: number;
}

/** 32 MiB, and 64 KiB each. */
const defaultCache: CacheLimits = { maxBytes: 32 * 1024 * 1024, maxEntryBytes: 64 * 1024 };

/** About what an entry takes besides its key and content. */
const entryBytes = 400;
/** Writes are counted under so many hashes of keys, and so many reads are remembered. Powers of two. */
const counters = 16_384;
const remembered = 65_536;

/**
 * Contents of records that were read, so that reading them again needs no other thread. It never knows less than the database:
 *
 * - while a key is being written nothing is served or kept for it (`writing`, until `written`, however the write ended);
 * - a read that began before a write was asked for keeps nothing (`begin`, `fill`);
 * - what has expired is never served.
 *
 * Once it is full, only what was read before lately is kept: reads all over a large table push nothing out, and cost next to nothing here.
 *
 * Nobody changes what it keeps: what a caller may change is a copy.
 */
export class StoreCache {
  readonly #limits: CacheLimits;
  /** What came or was asked for since the generations changed, and what was there before: that goes when they change next. */
  #young = new Map<string, Entry>();
  #old = new Map<string, Entry>();
  #youngBytes = 0;
  #oldBytes = 0;
  /** How many writes were asked for of keys with this hash, of which other keys may have the same: then a read keeps nothing in vain. */
  readonly #changes = new Uint32Array(counters);
  /** Hashes of keys that were read and not kept. */
  readonly #seen = new Uint32Array(remembered);
  /** How many writes of keys with this hash are on their way. */
  readonly #writes = new Uint32Array(counters);

  constructor(limits: CacheLimits = defaultCache) {
    this.#limits = limits;
  }

  /** Bytes of what it holds. */
  get bytes(): number {
    return this.#youngBytes + this.#oldBytes;
  }

  /** What is known of a key: its content, or that there is no record; undefined when the database has to be asked. */
  get(tableId: number, key: string, now: number): Pick<Entry, "content"> | undefined {
    const name = nameOf(tableId, key);
    const entry = this.#young.get(name) ?? this.#rejuvenate(name);
    const expiresAt = entry?.content?.expiresAt ?? null;
    if (expiresAt === null || expiresAt > now) return entry;
    this.#forget(name);
    return undefined;
  }

  /** A read of the database begins. Undefined when what it finds must not be kept. */
  begin(tableId: number, key: string): Fill | undefined {
    const name = nameOf(tableId, key);
    const hash = hashOf(tableId, key);
    if (this.#writes[hash % counters] !== 0) return undefined;
    return { name, hash, changes: this.#changes[hash % counters] ?? 0 };
  }

  /** What a read has found. True when a copy of it is kept. */
  fill(fill: Fill | undefined, content: StoredContent | undefined): boolean {
    if (fill === undefined || this.#changes[fill.hash % counters] !== fill.changes) return false;
    const bytes = sizeOf(fill.name, content);
    if (bytes > this.#limits.maxEntryBytes || !this.#admits(fill.hash)) return false;
    this.#forget(fill.name);
    this.#keep(fill.name, { content: content && { ...content, value: content.value.slice() }, bytes });
    return true;
  }

  #admits(hash: number): boolean {
    const at = hash % remembered;
    if (this.#old.size === 0 || this.#seen[at] === hash) return true;
    this.#seen[at] = hash;
    return false;
  }

  /** Whether changes of a key are on their way; perhaps only those of another key with this hash. */
  isWriting(tableId: number, key: string): boolean {
    return this.#writes[hashOf(tableId, key) % counters] !== 0;
  }

  /** Changes of keys are about to be asked for. What it returns has to be given to `written`. */
  writing(tableId: number, keys: readonly string[]): readonly number[] {
    return keys.map((key) => {
      const at = hashOf(tableId, key) % counters;
      this.#writes[at] = (this.#writes[at] ?? 0) + 1;
      this.#changes[at] = (this.#changes[at] ?? 0) + 1;
      if (this.bytes > 0) this.#forget(nameOf(tableId, key));
      return at;
    });
  }

  /** The changes were made, or not, or nobody knows. */
  written(writing: readonly number[]): void {
    for (const at of writing) this.#writes[at] = (this.#writes[at] ?? 0) - 1;
  }

  #keep(name: string, entry: Entry): void {
    if (this.#youngBytes + entry.bytes > this.#limits.maxBytes / 2) {
      this.#old = this.#young;
      this.#oldBytes = this.#youngBytes;
      this.#young = new Map();
      this.#youngBytes = 0;
    }
    this.#young.set(name, entry);
    this.#youngBytes += entry.bytes;
  }

  #rejuvenate(name: string): Entry | undefined {
    const entry = this.#old.get(name);
    if (entry === undefined) return undefined;
    this.#forget(name);
    this.#keep(name, entry);
    return entry;
  }

  #forget(name: string): void {
    const young = this.#young.get(name);
    if (young !== undefined && this.#young.delete(name)) this.#youngBytes -= young.bytes;
    const old = this.#old.get(name);
    if (old !== undefined && this.#old.delete(name)) this.#oldBytes -= old.bytes;
  }
}

/** For a caller, who may change it. Small values share pooled memory: a buffer of its own would cost five times as much. */
export function copyOf(content: StoredContent | undefined): StoredContent | undefined {
  if (content === undefined) return undefined;
  const { value } = content;
  const copy = Buffer.allocUnsafe(value.byteLength);
  copy.set(value);
  return { ...content, value: new Uint8Array(copy.buffer, copy.byteOffset, copy.byteLength) };
}

/** Tables stay apart: no number has a space in it. */
function nameOf(tableId: number, key: string): string {
  return `${tableId} ${key}`;
}

/** A number of 32 bits. */
function hashOf(tableId: number, key: string): number {
  let hash = Math.imul(0x811c9dc5 ^ tableId, 0x01000193);
  for (let at = 0; at < key.length; at++) hash = Math.imul(hash ^ key.charCodeAt(at), 0x01000193);
  return (hash ^ (hash >>> 15)) >>> 0;
}

function sizeOf(name: string, content: StoredContent | undefined): number {
  const metadata = content?.metadata?.length ?? 0;
  return entryBytes + 2 * (name.length + metadata) + (content?.value.byteLength ?? 0);
}
