import type { Field } from "./field.ts";

/** An entry of a list or map. The id stays the same while others come and go. */
export interface Item {
  readonly id: number;
  /** Of a map's row; empty in a list. */
  readonly key: string;
  readonly text: string;
}

/** What has been typed into a field, right or wrong. */
export type Draft =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "items"; readonly items: readonly Item[] }
  | { readonly kind: "message"; readonly fields: DraftFields };

export type DraftFields = Readonly<Record<string, Draft>>;

const emptyText: Draft = { kind: "text", text: "" };
const emptyItems: Draft = { kind: "items", items: [] };
const emptyMessage: Draft = { kind: "message", fields: {} };

/** What has been typed into the field; empty when nothing has, or when the field has changed its kind since. */
export function draftOf(field: Field, drafts: DraftFields): Draft {
  const empty = emptyDraft(field);
  const draft = Object.hasOwn(drafts, field.name) ? drafts[field.name] : undefined;
  return draft?.kind === empty.kind ? draft : empty;
}

/** Names of fields come from services: `__proto__` has to be a name like any other, which it is for a computed key. */
export function withDraft(drafts: DraftFields, name: string, draft: Draft): DraftFields {
  return { ...drafts, [name]: draft };
}

export function addItem(items: readonly Item[], key = "", text = ""): readonly Item[] {
  return [...items, { id: Math.max(-1, ...items.map(({ id }) => id)) + 1, key, text }];
}

function emptyDraft(field: Field): Draft {
  if (field.kind === "message") return emptyMessage;
  return field.kind === "list" || field.kind === "map" ? emptyItems : emptyText;
}
