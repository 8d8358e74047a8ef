/** Protobuf's wire format in straight lines, for the messages that are written and read more than any others. */

/** One for all: to take down where it was thrown would cost more than the general codec. */
const unusual = new RangeError("not well formed, or for the general codec");

/** What the general codec refuses is left to it. */
const deepest = 100;

/** What `FieldReader.repeatedText` read, and where. */
export class LastText {
  text: string | undefined;
  start = 0;
  length = 0;
}

/** Reads one message after the other. Throws RangeError for what isn't well formed or out of the ordinary: the general codec knows what to say of that. */
export class FieldReader {
  readonly #bytes: Buffer;
  readonly #given: Uint8Array;
  #at: number;
  #end: number;
  #depth = 0;

  constructor(bytes: Uint8Array) {
    this.#given = bytes;
    this.#bytes = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#at = 0;
    this.#end = bytes.length;
  }

  /** The tag of the next field of this message, or 0 at its end. */
  tag(): number {
    if (this.#at >= this.#end) return 0;
    const tag = this.small();
    if (tag < 8) throw unusual;
    return tag;
  }

  /** A number of 64 bits, when it is 0 or more and a double holds it. */
  number(): number {
    // In two halves: integers of 32 bits cost less than doubles.
    let low = 0;
    for (let shift = 0; shift < 28; shift += 7) {
      if (this.#at >= this.#end) throw unusual;
      const byte = this.#bytes[this.#at++] as number;
      low |= (byte & 0x7f) << shift;
      if (byte < 0x80) return low;
    }
    const value = this.small() * 0x1000_0000 + low;
    if (value > Number.MAX_SAFE_INTEGER) throw unusual;
    return value;
  }

  /** A number of 32 bits or a length, when it has at most 28 of them. */
  small(): number {
    let value = 0;
    for (let shift = 0; shift < 28 && this.#at < this.#end; shift += 7) {
      const byte = this.#bytes[this.#at++] as number;
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    throw unusual;
  }

  /** Shares the memory of what is read, and is of the same class. */
  bytes(): Uint8Array {
    const length = this.small();
    const start = this.#at;
    if (start + length > this.#end) throw unusual;
    this.#at = start + length;
    return this.#given.subarray(start, this.#at);
  }

  text(): string {
    const length = this.small();
    const start = this.#at;
    if (start + length > this.#end) throw unusual;
    this.#at = start + length;
    const text = this.#bytes.toString("utf8", start, this.#at);
    // Whether the sender wrote this character or something that isn't UTF-8 is not seen here.
    if (text.includes("\ufffd")) throw unusual;
    return text;
  }

  /** As `text`, for what is mostly the same as the last time: that is kept in `last`, and lies in these bytes as well. */
  repeatedText(last: LastText): string {
    const start = this.#at;
    const length = this.small();
    const textStart = this.#at;
    if (last.text !== undefined && length === last.length && textStart + length <= this.#end) {
      let same = 0;
      while (same < length && this.#bytes[textStart + same] === this.#bytes[last.start + same]) same++;
      this.#at += length;
      if (same === length) return last.text;
    }
    this.#at = start;
    last.text = this.text();
    last.length = length;
    last.start = textStart;
    return last.text;
  }

  /** Goes into a message inside; `leave` takes what this returns. */
  enter(): number {
    if (++this.#depth >= deepest) throw unusual;
    const length = this.small();
    const outer = this.#end;
    if (this.#at + length > outer) throw unusual;
    this.#end = this.#at + length;
    return outer;
  }

  leave(outer: number): void {
    this.#depth--;
    this.#at = this.#end;
    this.#end = outer;
  }

  /** Passes over a field that isn't known. One with a number below 16 may be known, and of another kind. */
  skip(tag: number): void {
    const type = tag & 7;
    if (tag >= 128 && type === 0) this.number();
    else if (tag >= 128 && type === 2) this.bytes();
    else throw unusual;
  }
}

/** Writes one message. Numbers are of 0 or more, what is 0 or empty is left out. */
export class FieldWriter {
  #bytes: Buffer;
  #at = 0;

  /** `size` is a guess. */
  constructor(size: number) {
    this.#bytes = Buffer.allocUnsafe(size);
  }

  number(tag: number, value: number): void {
    if (value === 0) return;
    this.#room(11);
    this.#varint(tag);
    this.#varint(value);
  }

  text(tag: number, value: string): void {
    if (value === "") return;
    this.#room(11 + 3 * value.length);
    this.#varint(tag);
    // A length of one byte is known to be enough before the text has been written.
    if (value.length < 0x2b) {
      const length = this.#bytes.write(value, this.#at + 1);
      this.#bytes[this.#at] = length;
      this.#at += 1 + length;
      return;
    }
    this.#varint(Buffer.byteLength(value));
    this.#at += this.#bytes.write(value, this.#at);
  }

  bytes(tag: number, value: Uint8Array): void {
    if (value.length === 0) return;
    this.#room(11 + value.length);
    this.#varint(tag);
    this.#varint(value.length);
    this.#bytes.set(value, this.#at);
    this.#at += value.length;
  }

  /** Part of other bytes, as they are; for text too. */
  copy(tag: number, source: Buffer, start: number, end: number): void {
    if (start === end) return;
    this.#room(11 + end - start);
    this.#varint(tag);
    this.#varint(end - start);
    this.#at += source.copy(this.#bytes, this.#at, start, end);
  }

  /** A field that is 0 or empty, where that has to be said. */
  blank(tag: number): void {
    this.#room(6);
    this.#varint(tag);
    this.#bytes[this.#at++] = 0;
  }

  /** Begins a message inside, whose length is expected to take so many bytes; `end` takes what this returns. */
  begin(tag: number, lengthBytes = 1): number {
    this.#room(6 + lengthBytes);
    this.#varint(tag);
    this.#at += lengthBytes;
    return this.#at;
  }

  /** Returns how many bytes the length took; when they weren't as many as expected, the message has been moved. */
  end(start: number, lengthBytes = 1): number {
    const length = this.#at - start;
    const needed = length < 0x80 ? 1 : length < 0x4000 ? 2 : length < 0x20_0000 ? 3 : length < 0x1000_0000 ? 4 : 5;
    if (needed !== lengthBytes) {
      this.#room(needed);
      this.#bytes.copyWithin(start + needed - lengthBytes, start, this.#at);
    }
    this.#at = start - lengthBytes;
    this.#varint(length);
    this.#at += length;
    return needed;
  }

  /** What was written. */
  done(): Uint8Array {
    return new Uint8Array(this.#bytes.buffer, this.#bytes.byteOffset, this.#at);
  }

  #varint(value: number): void {
    let left = value;
    for (; left >= 0x8000_0000; left = Math.floor(left / 128)) this.#bytes[this.#at++] = (left % 128) | 0x80;
    for (; left >= 0x80; left >>>= 7) this.#bytes[this.#at++] = (left & 0x7f) | 0x80;
    this.#bytes[this.#at++] = left;
  }

  #room(size: number): void {
    if (this.#at + size <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafe(2 * this.#bytes.length + size);
    larger.set(this.#bytes.subarray(0, this.#at));
    this.#bytes = larger;
  }
}
