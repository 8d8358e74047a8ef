/** An account that the gateway turns away whatever its token says. */
export interface BlockEntry {
  readonly id: string;
  /** The namespace that issued the account. */
  readonly namespace: string;
}

/** What a backend must do to remember blocked accounts. `BlockList` has already validated every argument. */
export interface BlockListDriver extends AsyncDisposable {
  readonly name: string;

  /** Remembers the entry once; adding it again is not an error. Every later `list` has it once resolved. */
  add(entry: BlockEntry, signal: AbortSignal): Promise<void>;

  /** Forgets the entry with exactly this id and namespace. Removing one that is not there is not an error. */
  remove(entry: BlockEntry, signal: AbortSignal): Promise<void>;

  /** All entries, by namespace then id, ascending. */
  list(signal: AbortSignal): Promise<BlockEntry[]>;
}
