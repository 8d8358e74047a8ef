/** A value that came Huffman coded, as it came and as it reads. */
interface LongValue {
  readonly coded: Buffer;
  readonly text: string;
  readonly fault: string | undefined;
}

/** Values shorter than this are decoded as fast as they are found; longer ones would take too much memory. Octets as coded. */
const longestCoded = 1024;
const kept = 4;

/**
 * The last long values of a connection: a token that its sender wants in no table comes with every call, and to decode it costs as much as all
 * the rest of the block. At most 4 KiB as coded.
 */
export class LongValues {
  readonly #values: LongValue[] = [];
  #oldest = 0;

  find(block: Buffer, start: number, end: number): LongValue | undefined {
    const length = end - start;
    for (const value of this.#values)
      if (value.coded.length === length && value.coded.compare(block, start, end) === 0) return value;
    return undefined;
  }

  keep(block: Buffer, start: number, end: number, text: string, fault: string | undefined): void {
    if (end - start > longestCoded) return;
    // A copy: the block is a part of what came from the socket.
    this.#values[this.#oldest] = { coded: Buffer.from(block.subarray(start, end)), text, fault };
    this.#oldest = (this.#oldest + 1) % kept;
  }
}
