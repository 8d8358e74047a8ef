import { DynamicTable } from "./dynamic-table.ts";
import { knownName, nameFault, readName, readValue, valueFault } from "./field-text.ts";
import { decodedBound, readHuffman } from "./huffman.ts";
import { LongValues } from "./long-values.ts";
import { entryOverhead, type Field, staticEntries, staticTable } from "./static-table.ts";

/** A header block that breaks RFC 7541: the connection is over, with COMPRESSION_ERROR (RFC 9113 §4.3). */
export class HpackError extends Error {
  override readonly name = "HpackError";
}

/** The size of a table before anything was said about it (RFC 9113 §6.5.2, SETTINGS_HEADER_TABLE_SIZE). */
const initialTableBytes = 4096;

/** Lengths and indexes over this are refused (RFC 7541 §5.1 asks for a limit). */
const largestInteger = 2 ** 31;

/** Where Huffman coded strings are decoded; used within one call only, so that all decoders share it. */
const scratch = Buffer.allocUnsafeSlow(4096);

/** Strings may share the text of a block of at most this size: the whole text lives as long as one of them. */
const sharedTextBytes = 1024;

/** The receiving side of RFC 7541: one for each connection, because every block changes the dynamic table. */
export class HpackDecoder {
  /**
   * Why the block that was decoded last makes its message malformed although the coding is intact (RFC 9113 §8.2.1); undefined when it
   * does not.
   */
  malformed: string | undefined;
  /** The size of the list that was decoded last, in the measure of RFC 9113 §6.5.2, even when it was over the limit. */
  listBytes = 0;

  readonly #maxTableBytes: number;
  /** Until the peer has read our settings it may use the initial size, and then it has to say so when it uses less (RFC 7541 §4.2). */
  readonly #table = new DynamicTable<Field>(initialTableBytes);
  #long: LongValues | undefined;
  #block: Buffer = scratch;
  #start = 0;
  #end = 0;
  #at = 0;
  #blockText: string | undefined;
  #textStart = 0;
  #textEnd = 0;

  /** `maxTableBytes` is the SETTINGS_HEADER_TABLE_SIZE that this side has announced. */
  constructor(maxTableBytes = initialTableBytes) {
    this.#maxTableBytes = maxTableBytes;
  }

  /**
   * Decodes one whole header block, block[start, end), into name, value, name, value … (latin1). Returns undefined when the list is over
   * `maxListBytes` or has more than `maxFields`; the dynamic table is in step nevertheless. Throws an HpackError.
   */
  decode(block: Buffer, start: number, end: number, maxListBytes: number, maxFields: number): string[] | undefined {
    this.#block = block;
    this.#start = start;
    this.#end = end;
    this.#at = start;
    this.#blockText = undefined;
    this.malformed = undefined;
    this.#readSizeUpdates();
    const list: string[] = [];
    let bytes = 0;
    let fields = 0;
    while (this.#at < end) {
      const field = this.#readField();
      bytes += field.size;
      if (field.fault !== undefined) this.malformed ??= field.fault;
      if (++fields <= maxFields && bytes <= maxListBytes) list.push(field.name, field.value);
    }
    this.listBytes = bytes;
    this.#block = scratch;
    this.#blockText = undefined;
    return fields <= maxFields && bytes <= maxListBytes ? list : undefined;
  }

  /** RFC 7541 §4.2 and §6.3: only at the beginning of a block. */
  #readSizeUpdates(): void {
    while (this.#at < this.#end && ((this.#block[this.#at] ?? 0) & 0xe0) === 0x20) {
      const bytes = this.#readInteger(0x1f);
      if (bytes > this.#maxTableBytes) throw new HpackError(`a table of ${bytes} bytes is more than was allowed`);
      this.#table.resize(bytes);
    }
  }

  /** RFC 7541 §6: the first bits say what it is. */
  #readField(): Field {
    const first = this.#block[this.#at] ?? 0;
    if (first > 0x80 && first < 0xff) {
      this.#at++;
      return this.#fieldAt(first & 0x7f);
    }
    if (first >= 0x80) return this.#fieldAt(this.#readInteger(0x7f));
    if (first >= 0x40) {
      const field = this.#readLiteral(0x3f, true);
      this.#table.add(field);
      return field;
    }
    if (first >= 0x20) throw new HpackError("a table size update stands behind a field");
    return this.#readLiteral(0x0f, false);
  }

  /** RFC 7541 §2.3.3. */
  #fieldAt(index: number): Field {
    const field = index > staticEntries ? this.#table.get(index - staticEntries - 1) : staticTable[index];
    if (field === undefined) throw new HpackError(`there is no field with the index ${index}`);
    return field;
  }

  /** RFC 7541 §6.2: the index of the name, or 0 and the name; then the value. */
  #readLiteral(mask: number, isEntered: boolean): Field {
    const index = this.#readInteger(mask);
    let name: string;
    let ofName: string | undefined;
    if (index === 0) {
      const bytes = this.#readString();
      const known = knownName(bytes, this.#textStart, this.#textEnd);
      if (known === undefined) ofName = nameFault(bytes, this.#textStart, this.#textEnd);
      name = known ?? readName(bytes, this.#textStart, this.#textEnd, ofName === undefined);
    } else {
      const named = this.#fieldAt(index);
      name = named.name;
      ofName = named.nameFault;
    }
    // Huffman coded and of 127 octets or more.
    if (this.#block[this.#at] === 0xff) return this.#readLong(name, ofName);
    const bytes = this.#readString();
    const fault = ofName ?? valueFault(bytes, this.#textStart, this.#textEnd);
    const value = this.#valueIn(bytes, isEntered);
    return { name, value, size: name.length + value.length + entryOverhead, nameFault: ofName, fault };
  }

  #readLong(name: string, ofName: string | undefined): Field {
    const before = this.#at;
    const length = this.#readInteger(0x7f);
    const start = this.#at;
    const end = start + length;
    if (end > this.#end) throw truncated();
    this.#long ??= new LongValues();
    const known = this.#long.find(this.#block, start, end);
    if (known !== undefined) {
      this.#at = end;
      const size = name.length + known.text.length + entryOverhead;
      return { name, value: known.text, size, nameFault: ofName, fault: ofName ?? known.fault };
    }
    this.#at = before;
    const bytes = this.#readString();
    const fault = valueFault(bytes, this.#textStart, this.#textEnd);
    const value = readValue(bytes, this.#textStart, this.#textEnd);
    this.#long.keep(this.#block, start, end, value, fault);
    return { name, value, size: name.length + value.length + entryOverhead, nameFault: ofName, fault: ofName ?? fault };
  }

  /** The value that `#readString` has found. */
  #valueIn(bytes: Buffer, isEntered: boolean): string {
    if (isEntered || bytes !== this.#block || this.#end - this.#start > sharedTextBytes) {
      return readValue(bytes, this.#textStart, this.#textEnd);
    }
    // Cutting pieces off one string is several times as fast as making a string for each.
    this.#blockText ??= bytes.toString("latin1", this.#start, this.#end);
    return this.#blockText.slice(this.#textStart - this.#start, this.#textEnd - this.#start);
  }

  /** RFC 7541 §5.2. Returns the buffer in which the octets of the string stand, from `#textStart` to `#textEnd`. */
  #readString(): Buffer {
    if (this.#at >= this.#end) throw truncated();
    const isHuffman = (this.#block[this.#at] ?? 0) >= 0x80;
    const length = this.#readInteger(0x7f);
    const start = this.#at;
    const end = start + length;
    if (end > this.#end) throw truncated();
    this.#at = end;
    if (!isHuffman) {
      this.#textStart = start;
      this.#textEnd = end;
      return this.#block;
    }
    const bound = decodedBound(length);
    const target = bound <= scratch.length ? scratch : Buffer.allocUnsafeSlow(bound);
    this.#textStart = 0;
    this.#textEnd = readHuffman(this.#block, start, end, target);
    if (this.#textEnd < 0) throw new HpackError("a string is not well Huffman coded");
    return target;
  }

  /** RFC 7541 §5.1: the low bits of the first octet when they are not all ones, else octets of seven bits follow. */
  #readInteger(mask: number): number {
    let value = (this.#block[this.#at++] ?? 0) & mask;
    if (value < mask) return value;
    for (let scale = 1; scale <= 2 ** 28; scale *= 128) {
      if (this.#at >= this.#end) throw truncated();
      const octet = this.#block[this.#at++] ?? 0;
      value += (octet & 0x7f) * scale;
      if (value > largestInteger) break;
      if (octet < 0x80) return value;
    }
    throw new HpackError("an integer is too large");
  }
}

function truncated(): HpackError {
  return new HpackError("the header block ends inside a field");
}
