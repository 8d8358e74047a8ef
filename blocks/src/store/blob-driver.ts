/** What is said of a blob when it is written. */
export interface BlobInfo {
  /** A media type; "" for none. */
  readonly contentType: string;
  /** Whether anybody may read it. */
  readonly public: boolean;
}

/** What is known of a blob that is there. */
export interface BlobStat extends BlobInfo {
  /** Bytes. */
  readonly size: number;
  /** SHA-256 of its bytes, in hex. */
  readonly sha256: string;
  readonly writtenAt: Date;
}

/** A part of a blob; what lies beyond its end is left out. */
export interface BlobRange {
  /** How many bytes come before it. */
  readonly offset: number;
  /** How many bytes it has at most. */
  readonly length: number;
}

/** All of a blob. */
export const wholeBlob: BlobRange = { offset: 0, length: Number.MAX_SAFE_INTEGER };

/** What a backend must do to hold blobs: byte strings too large for a record, one space of keys for each namespace. */
export interface BlobDriver extends AsyncDisposable {
  readonly name: string;

  /** Creates or replaces, visible all at once when resolved; a stream that throws or a signal that aborts leaves what was there before. */
  write(
    namespace: string,
    key: string,
    info: BlobInfo,
    chunks: AsyncIterable<Uint8Array>,
    signal: AbortSignal,
  ): Promise<void>;

  /** The bytes in chunks, or undefined when there is no such blob. Bytes that were altered on the disk are an error, and never given. */
  read(
    namespace: string,
    key: string,
    range: BlobRange,
    signal: AbortSignal,
  ): Promise<AsyncIterable<Uint8Array> | undefined>;

  /** What is known of a blob, or undefined when there is no such blob. */
  stat(namespace: string, key: string, signal: AbortSignal): Promise<BlobStat | undefined>;

  /** Deleting a key that is not there is not an error. */
  delete(namespace: string, key: string, signal: AbortSignal): Promise<void>;

  /** Keys that begin with `prefix`, ascending by their bytes. */
  list(namespace: string, prefix: string, signal: AbortSignal): Promise<string[]>;
}
