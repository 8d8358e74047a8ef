import { type Limits, overLimit } from "./limits.ts";

/** The pieces of a header block that came in HEADERS and CONTINUATION frames (RFC 9113 §6.10), within the limits. */
export class HeaderBlock {
  readonly streamId: number;
  readonly isEnd: boolean;
  readonly dependsOnItself: boolean;
  readonly sinceMs = Date.now();
  readonly #limits: Limits;
  readonly #pieces: Buffer[] = [];
  #length = 0;

  constructor(streamId: number, isEnd: boolean, dependsOnItself: boolean, limits: Limits) {
    this.streamId = streamId;
    this.isEnd = isEnd;
    this.dependsOnItself = dependsOnItself;
    this.#limits = limits;
  }

  /** Throws a ConnectionError when there are too many pieces or bytes. */
  add(bytes: Buffer, start: number, end: number): void {
    const limits = this.#limits;
    this.#length += end - start;
    if (this.#pieces.length > limits.maxContinuations)
      throw overLimit(limits, "a header block has too many CONTINUATION frames", "maxContinuations");
    if (this.#length > limits.maxHeaderBlockBytes)
      throw overLimit(limits, "a header block is too long", "maxHeaderBlockBytes");
    this.#pieces.push(bytes.subarray(start, end));
  }

  bytes(): Buffer {
    return Buffer.concat(this.#pieces);
  }
}
