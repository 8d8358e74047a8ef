import { DynamicTable } from "./dynamic-table.ts";
import { huffmanLength, writeHuffman } from "./huffman.ts";
import { NameIndexing } from "./indexing.ts";
import { entryOverhead, staticEntries, staticTable } from "./static-table.ts";

/** The size of a table before anything was said about it (RFC 9113 §6.5.2, SETTINGS_HEADER_TABLE_SIZE). */
const initialTableBytes = 4096;

/** Names that have no entry in the table but are remembered, at most, and the longest such name. */
const idleNames = 64;
const longestName = 128;

/** Longer texts are never Huffman coded. */
const longestCoded = 256;

/** Where a field is: the id of a dynamic entry, or a static index as a negative number. */
type Place = number;

/** What the encoder knows of one name. */
interface Name {
  readonly text: string;
  /** The index in the static table; 0 when it is not there. */
  readonly staticIndex: number;
  readonly staticPlaces: ReadonlyMap<string, Place> | undefined;
  readonly indexing: NameIndexing;
  /** The dynamic entries of this name by value. */
  places: Map<string, Place> | undefined;
  /** The newest of them; undefined when there is none. */
  newest: Place | undefined;
  /** The value that was found last: on a connection most names have one value. */
  lastValue: string | undefined;
  lastPlace: Place;
}

interface Entry {
  readonly name: Name;
  readonly value: string;
  readonly size: number;
}

/** The sending side of RFC 7541: one for each connection, because the dynamic table goes along with every block. */
export class HpackEncoder {
  readonly #names = new Map<string, Name>();
  readonly #table: DynamicTable<Entry>;
  readonly #maxTableBytes: number;
  /** The size that the peer knows of, and the smallest that there was since. */
  #toldBytes = initialTableBytes;
  #lowestBytes: number;

  /** `maxTableBytes` is the most memory that this side is ready to use for the table. */
  constructor(maxTableBytes = initialTableBytes) {
    this.#maxTableBytes = maxTableBytes;
    this.#lowestBytes = Math.min(maxTableBytes, initialTableBytes);
    this.#table = new DynamicTable<Entry>(this.#lowestBytes, forget);
  }

  /** The peer's SETTINGS_HEADER_TABLE_SIZE: in force at once, and the next block begins with the updates of RFC 7541 §4.2. */
  setPeerTableBytes(bytes: number): void {
    const capacity = Math.min(bytes, this.#maxTableBytes);
    this.#table.resize(capacity);
    this.#lowestBytes = Math.min(this.#lowestBytes, capacity);
  }

  /** Begins a block: writes the size updates that are due, at most 12 bytes. Returns the offset behind. */
  begin(target: Buffer, offset: number): number {
    const { capacity } = this.#table;
    if (this.#lowestBytes === this.#toldBytes && capacity === this.#toldBytes) return offset;
    let at = offset;
    if (this.#lowestBytes < this.#toldBytes && this.#lowestBytes < capacity) {
      at = writeInteger(target, at, 0x20, 0x1f, this.#lowestBytes);
    }
    at = writeInteger(target, at, 0x20, 0x1f, capacity);
    this.#toldBytes = capacity;
    this.#lowestBytes = capacity;
    return at;
  }

  /**
   * Writes one field, the name in lower case and the value in latin1, at `offset`: `target` has room for `fieldBound`. Returns the offset
   * behind.
   */
  write(target: Buffer, offset: number, name: string, value: string): number {
    const known = this.#names.get(name) ?? this.#learn(name);
    const place = known.lastValue === value ? known.lastPlace : find(known, value);
    if (place === undefined) return this.#writeLiteral(target, offset, known, value);
    if (place >= 0) known.indexing.found();
    const index = this.#indexAt(place);
    if (index >= 0x7f) return writeInteger(target, offset, 0x80, 0x7f, index);
    target[offset] = 0x80 | index;
    return offset + 1;
  }

  /** RFC 7541 §2.3.3. */
  #indexAt(place: Place): number {
    return place < 0 ? -place : this.#table.inserted + staticEntries - place;
  }

  #writeLiteral(target: Buffer, offset: number, name: Name, value: string): number {
    const size = name.text.length + value.length + entryOverhead;
    // A large value would push out a good part of the table.
    const indexing = name.indexing.choose(value, size <= this.#table.capacity / 4);
    if (indexing !== "entered") {
      const at = this.#writeName(target, offset, indexing === "never" ? 0x10 : 0, 0x0f, name, writePlain);
      return writePlain(target, at, value);
    }
    const at = this.#writeName(target, offset, 0x40, 0x3f, name, writeShortest);
    const place = this.#table.inserted;
    this.#table.add({ name, value, size });
    name.places ??= new Map();
    name.places.set(value, place);
    name.newest = place;
    name.lastValue = value;
    name.lastPlace = place;
    return writeShortest(target, at, value);
  }

  #writeName(target: Buffer, offset: number, pattern: number, mask: number, name: Name, write: WriteText): number {
    const place = name.staticIndex > 0 ? -name.staticIndex : name.newest;
    if (place !== undefined) return writeInteger(target, offset, pattern, mask, this.#indexAt(place));
    target[offset] = pattern;
    return write(target, offset + 1, name.text);
  }

  #learn(text: string): Name {
    const staticIndex = staticNames.get(text) ?? 0;
    const name: Name = {
      text,
      staticIndex,
      staticPlaces: staticPlaces.get(text),
      indexing: new NameIndexing(text, staticIndex > 0),
      places: undefined,
      newest: undefined,
      lastValue: undefined,
      lastPlace: 0,
    };
    if (text.length > longestName) return name;
    if (this.#names.size >= this.#table.length + idleNames) this.#forgetIdle();
    this.#names.set(text, name);
    return name;
  }

  #forgetIdle(): void {
    for (const [text, name] of this.#names) if (name.newest === undefined) this.#names.delete(text);
  }
}

/** Upper bound of the octets that write() needs: neither a string nor its length takes more than this when it is not Huffman coded. */
export function fieldBound(name: string, value: string): number {
  return name.length + value.length + 16;
}

/** The first static index of each name, and the places of the static fields of a name by value. */
const staticNames = new Map<string, number>();
const staticPlaces = new Map<string, Map<string, Place>>();
for (const [index, field] of staticTable.entries()) {
  if (field === undefined) continue;
  if (!staticNames.has(field.name)) staticNames.set(field.name, index);
  const places = staticPlaces.get(field.name) ?? new Map<string, Place>();
  staticPlaces.set(field.name, places.set(field.value, -index));
}

function find(name: Name, value: string): Place | undefined {
  const place = name.places?.get(value) ?? name.staticPlaces?.get(value);
  if (place === undefined) return undefined;
  name.lastValue = value;
  name.lastPlace = place;
  return place;
}

/** An entry has left the table. */
function forget({ name, value }: Entry): void {
  if (name.newest === name.places?.get(value)) name.newest = undefined;
  if (name.lastValue === value) name.lastValue = undefined;
  name.places?.delete(value);
}

type WriteText = (target: Buffer, offset: number, text: string) => number;

/** RFC 7541 §5.2, without Huffman coding: the peer reads it faster, and what is not entered is mostly digits that hardly get shorter. */
function writePlain(target: Buffer, offset: number, text: string): number {
  const { length } = text;
  const at = writeInteger(target, offset, 0, 0x7f, length);
  if (length > 20) {
    target.write(text, at, length, "latin1");
  } else {
    // A call into the runtime costs more than these characters do.
    for (let i = 0; i < length; i++) target[at + i] = text.charCodeAt(i);
  }
  return at + length;
}

/**
 * RFC 7541 §5.2, Huffman coded when that is shorter. A long text, such as a token, is written once per connection: coding and decoding it
 * takes longer than its quarter more of octets.
 */
function writeShortest(target: Buffer, offset: number, text: string): number {
  if (text.length > longestCoded) return writePlain(target, offset, text);
  const length = huffmanLength(text);
  if (length >= text.length) return writePlain(target, offset, text);
  return writeHuffman(target, writeInteger(target, offset, 0x80, 0x7f, length), text);
}

/** RFC 7541 §5.1: `pattern` has the bits before the integer, `mask` those of its first part. */
function writeInteger(target: Buffer, offset: number, pattern: number, mask: number, value: number): number {
  if (value < mask) {
    target[offset] = pattern | value;
    return offset + 1;
  }
  target[offset] = pattern | mask;
  let at = offset + 1;
  let rest = value - mask;
  while (rest >= 0x80) {
    target[at++] = 0x80 | (rest & 0x7f);
    rest = Math.floor(rest / 0x80);
  }
  target[at] = rest;
  return at + 1;
}
