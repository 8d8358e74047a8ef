export interface BlobInfo {
  readonly contentType: string;
  /** Whether anybody may read it. */
  readonly public: boolean;
}

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

  /** The bytes in chunks, or undefined when there is no such blob. */
  read(namespace: string, key: string, signal: AbortSignal): Promise<AsyncIterable<Uint8Array> | undefined>;

  /** Deleting a key that is not there is not an error. */
  delete(namespace: string, key: string, signal: AbortSignal): Promise<void>;

  /** Keys that begin with `prefix`, ascending. */
  list(namespace: string, prefix: string, signal: AbortSignal): Promise<string[]>;
}
