import type { StoredContent } from "./store-rows.ts";

interface Entry {
  /** Undefined: there is no record. */
  readonly content: StoredContent | undefined;
  readonly bytes: number;
}

/** A read whose outcome may be kept, unless its key is written meanwhile. */
interface Fill {
  readonly name: string;
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

/**
 * Contents of records that were read, so that reading them again needs no other thread. It never knows less than the database:
 *
 * - while a key is being written nothing is served or kept for it (`writing`, until `written`, however the write ended);
 * - a read that began before a write was asked for keeps nothing (`begin`, `fill`);
 * - what has expired is never served.
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
  readonly #fills = new Map<string, Fill>();
  /** How many writes are on their way, by key. */
  readonly #writes = new Map<string, number>();

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
    if (this.#writes.has(name)) return undefined;
    const fill = this.#fills.get(name) ?? { name };
    this.#fills.set(name, fill);
    return fill;
  }

  /** What a read has found. True when it is kept: the content is the cache's from then on. */
  fill(fill: Fill | undefined, content: StoredContent | undefined): boolean {
    if (fill === undefined || this.#fills.get(fill.name) !== fill) return false;
    this.#fills.delete(fill.name);
    const bytes = sizeOf(fill.name, content);
    if (bytes > this.#limits.maxEntryBytes) return false;
    this.#forget(fill.name);
    this.#keep(fill.name, { content, bytes });
    return true;
  }

  /** A read has failed. */
  abandon(fill: Fill | undefined): void {
    if (fill !== undefined && this.#fills.get(fill.name) === fill) this.#fills.delete(fill.name);
  }

  /** Changes of keys are about to be asked for. What it returns has to be given to `written`. */
  writing(tableId: number, keys: readonly string[]): readonly string[] {
    return keys.map((key) => {
      const name = nameOf(tableId, key);
      this.#writes.set(name, (this.#writes.get(name) ?? 0) + 1);
      this.#fills.delete(name);
      this.#forget(name);
      return name;
    });
  }

  /** The changes were made, or not, or nobody knows. */
  written(names: readonly string[]): void {
    for (const name of names) {
      const others = (this.#writes.get(name) ?? 0) - 1;
      if (others > 0) this.#writes.set(name, others);
      else this.#writes.delete(name);
    }
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

/** For a caller, who may change it. */
export function copyOf(content: StoredContent | undefined): StoredContent | undefined {
  return content && { ...content, value: content.value.slice() };
}

/** Tables stay apart: no number has a space in it. */
function nameOf(tableId: number, key: string): string {
  return `${tableId} ${key}`;
}

function sizeOf(name: string, content: StoredContent | undefined): number {
  const metadata = content?.metadata?.length ?? 0;
  return entryBytes + 2 * (name.length + metadata) + (content?.value.byteLength ?? 0);
}
