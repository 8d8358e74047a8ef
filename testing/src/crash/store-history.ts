import { deepEqual, equal, ok } from "node:assert/strict";

/** What a writing process noted. */
export type StoreNote =
  | { readonly kind: "found"; readonly records: readonly (readonly [key: string, value: string, revision: number])[] }
  /** A change of several keys at once began; null deletes. */
  | {
      readonly kind: "began";
      readonly id: string;
      readonly values: readonly (readonly [key: string, value: string | null])[];
    }
  /** It was acknowledged. */
  | { readonly kind: "done"; readonly id: string; readonly revision: number }
  /** It was not, and an error said why. */
  | { readonly kind: "refused"; readonly id: string; readonly code: number; readonly detail: string };

interface Change {
  readonly values: readonly (readonly [key: string, value: string | null])[];
  revision: number | undefined;
}

/**
 * Decides whether a store that was killed again and again kept its word: what was acknowledged is there unaltered, what was not is there whole
 * or not at all, and no revision is given twice.
 */
export class StoreHistory {
  /** What has to be there. */
  readonly #records = new Map<string, string>();
  /** Begun and not acknowledged. A writer waits for each of its changes, and keys belong to one writer: one change a key at most. */
  readonly #open = new Map<string, Change>();
  /** The disk failed under the process that wrote last. */
  #hasFailed = false;
  readonly #revisions = new Set<number>();
  acknowledged = 0;
  refused = 0;

  /** Takes what a process noted before it was killed. Throws when that can't be. */
  take(notes: readonly StoreNote[]): void {
    for (const note of notes) {
      if (note.kind === "found") this.#found(note.records);
      else if (note.kind === "began") this.#open.set(note.id, { values: note.values, revision: undefined });
      else if (note.kind === "done") this.#done(note.id, note.revision);
      else this.#refused(note.id, note.code, note.detail);
    }
  }

  #done(id: string, revision: number): void {
    const change = this.#open.get(id);
    ok(change, `${id} was acknowledged and had not begun`);
    // A blob's answer comes a little after its commit: it has a file to remove first.
    ok(!this.#hasFailed || revision === 0, `${id} was acknowledged after the disk had failed`);
    this.#open.delete(id);
    this.#apply(change);
    this.acknowledged++;
    // 0 is that of a change that deleted nothing, and of blobs.
    ok(revision === 0 || !this.#revisions.has(revision), `revision ${revision} was given twice`);
    this.#revisions.add(revision);
  }

  /** On a full disk it had no effect; otherwise it may have, and nothing more is acknowledged. */
  #refused(id: string, code: number, detail: string): void {
    this.refused++;
    if (code === 507) this.#open.delete(id);
    else if (detail.includes("micro.db")) this.#hasFailed = true;
  }

  #apply({ values }: Change): void {
    for (const [key, value] of values) {
      if (value === null) this.#records.delete(key);
      else this.#records.set(key, value);
    }
  }

  #found(records: Extract<StoreNote, { kind: "found" }>["records"]): void {
    const found = new Map(records.map(([key, value]) => [key, value]));
    // A change that was under way may have taken effect, as a whole.
    for (const [id, change] of this.#open) {
      const isThere = ({ values }: Change) => values.every(([key, value]) => (found.get(key) ?? null) === value);
      const isOld = change.values.every(([key]) => found.get(key) === this.#records.get(key));
      const keys = change.values.map(
        ([key]) => `${JSON.stringify(key)} is ${brief(found.get(key))}, was ${brief(this.#records.get(key))}`,
      );
      ok(isThere(change) || isOld, `${id} took effect in part, or what came before is lost: ${keys.join("; ")}`);
      if (isThere(change)) this.#apply(change);
    }
    this.#open.clear();
    this.#hasFailed = false;
    for (const [key, value] of this.#records)
      ok(
        found.get(key) === value,
        `${JSON.stringify(key)} is ${brief(found.get(key))} and was acknowledged as ${brief(value)}`,
      );
    deepEqual(new Set(found.keys()), new Set(this.#records.keys()));
    const revisions = records.map(([, , revision]) => revision);
    equal(new Set(revisions).size, revisions.length, "two records have the same revision");
    for (const revision of revisions) ok(revision > 0);
  }
}

/** Values are long and tell themselves apart at their beginning. */
function brief(value: string | undefined): string {
  return value === undefined ? "not there" : `${value.slice(0, 24)}… (${value.length})`;
}
