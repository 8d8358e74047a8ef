import type { Model } from "./checker.ts";

/** A call of one key of a store. Written values are all different; undefined is no record. Revisions are known where one was told. */
export type RegisterCall =
  | { readonly kind: "read"; readonly value: string | undefined }
  | { readonly kind: "write"; readonly value: string | undefined; readonly revision?: number | undefined }
  /** Writes where the value is the one expected. `isDone` says whether it was, where that was told. */
  | {
      readonly kind: "swap";
      readonly expected: string | undefined;
      readonly value: string | undefined;
      readonly isDone: boolean | undefined;
      readonly revision?: number | undefined;
    };

export interface RegisterState {
  readonly value: string | undefined;
  /** The highest revision that is known of. */
  readonly revision: number;
}

/** One key with a value, or without one. Each change has a higher revision than the one before. */
export const register: Model<RegisterState, RegisterCall> = {
  initial: { value: undefined, revision: 0 },
  step(state, call) {
    if (call.kind === "read") return call.value === state.value ? state : undefined;
    if (call.kind === "write") return changed(state, call);
    const isMet = call.expected === state.value;
    // Nothing has changed for anybody to see when it wasn't met and nobody was told.
    if (call.isDone === undefined) return isMet ? changed(state, call) : undefined;
    if (call.isDone !== isMet) return undefined;
    return isMet ? changed(state, call) : state;
  },
  textOf: ({ value, revision }) => `${value} at ${revision}`,
};

function changed(
  { revision: before }: RegisterState,
  { value, revision }: { readonly value: string | undefined; readonly revision?: number | undefined },
): RegisterState | undefined {
  if (revision !== undefined && revision <= before) return undefined;
  return { value, revision: revision ?? before };
}
