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
  | { readonly kind: "done"; readonly id: string; readonly revision: number };

interface Change {
  readonly values: readonly (readonly [key: string, value: string | null])[];
  revision: number | undefined;
}

/**
 * Decides whether a store that was killed again and again kept its word: what was acknowledged is there unaltered, what was not is there whole
 * or not at all, and revisions never go back.
 */
export class StoreHistory {
  /** What has to be there. */
  readonly #records = new Map<string, string>();
  /** Begun and not acknowledged. A writer waits for each of its changes, and keys belong to one writer: one change a key at most. */
  readonly #open = new Map<string, Change>();
  #revision = 0;
  acknowledged = 0;

  /** Takes what a process noted before it was killed. Throws when that can't be. */
  take(notes: readonly StoreNote[]): void {
    for (const note of notes) {
      if (note.kind === "found") this.#found(note.records);
      else if (note.kind === "began") this.#open.set(note.id, { values: note.values, revision: undefined });
      else this.#done(note.id, note.revision);
    }
  }

  #done(id: string, revision: number): void {
    const change = this.#open.get(id);
    ok(change, `${id} was acknowledged and had not begun`);
    this.#open.delete(id);
    this.#apply(change);
    this.acknowledged++;
    // 0 is that of a change that deleted nothing.
    this.#revision = Math.max(this.#revision, revision);
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
      ok(isThere(change) || isOld, `${id} took effect in part: ${JSON.stringify(change.values)}`);
      if (isThere(change)) this.#apply(change);
    }
    this.#open.clear();
    for (const [key, value] of this.#records)
      equal(found.get(key), value, `what was acknowledged under ${JSON.stringify(key)} is lost or altered`);
    deepEqual(new Set(found.keys()), new Set(this.#records.keys()));
    const revisions = records.map(([, , revision]) => revision);
    equal(new Set(revisions).size, revisions.length, "two records have the same revision");
    for (const revision of revisions) ok(revision > 0);
  }
}
