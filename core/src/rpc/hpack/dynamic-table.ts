/** What a dynamic table has to know of an entry: the octets it counts for (RFC 7541 §4.1). */
interface Sized {
  readonly size: number;
}

/** A first-in, first-out table bounded in octets (RFC 7541 §2.3.2 and §4), kept as a ring so that nothing ever moves. */
export class DynamicTable<Entry extends Sized> {
  /** The entries that were ever added: the entry added last has the id `inserted - 1`. */
  inserted = 0;
  #ring: (Entry | undefined)[] = new Array(16);
  #mask = 15;
  #length = 0;
  #bytes = 0;
  #capacity: number;
  readonly #evicted: ((entry: Entry) => void) | undefined;

  /** `evicted` is told of each entry that leaves. */
  constructor(capacity: number, evicted?: (entry: Entry) => void) {
    this.#capacity = capacity;
    this.#evicted = evicted;
  }

  get length(): number {
    return this.#length;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get capacity(): number {
    return this.#capacity;
  }

  /** The entry at `age`, counted from 0 for the newest; undefined when there is none. */
  get(age: number): Entry | undefined {
    return age < this.#length ? this.#ring[(this.inserted - 1 - age) & this.#mask] : undefined;
  }

  /** Evicts what has to go (RFC 7541 §4.4). An entry that is larger than the whole table empties it and is not kept. */
  add(entry: Entry): void {
    this.#evictTo(this.#capacity - entry.size);
    if (entry.size > this.#capacity) return;
    if (this.#length > this.#mask) this.#grow();
    this.#ring[this.inserted & this.#mask] = entry;
    this.inserted++;
    this.#length++;
    this.#bytes += entry.size;
  }

  /** Evicts what is over the new capacity (RFC 7541 §4.3). */
  resize(capacity: number): void {
    this.#capacity = capacity;
    this.#evictTo(capacity);
  }

  #evictTo(bytes: number): void {
    while (this.#bytes > bytes && this.#length > 0) {
      const slot = (this.inserted - this.#length) & this.#mask;
      const entry = this.#ring[slot];
      this.#ring[slot] = undefined;
      this.#length--;
      if (entry === undefined) continue;
      this.#bytes -= entry.size;
      this.#evicted?.(entry);
    }
  }

  #grow(): void {
    const mask = this.#mask * 2 + 1;
    const ring: (Entry | undefined)[] = new Array(mask + 1);
    for (let id = this.inserted - this.#length; id < this.inserted; id++) ring[id & mask] = this.#ring[id & this.#mask];
    this.#ring = ring;
    this.#mask = mask;
  }
}
