import { isObject, type Json } from "../json-text.ts";
import { addItem, type Draft, type DraftFields, type Item } from "./draft.ts";
import type { Field } from "./field.ts";
import { scalarText } from "./scalar.ts";
import { pathOf, requestOf } from "./to-json.ts";

/** The form that stands for a request, or the path of the first part of the request that the form can't show. */
export type Shown = { readonly drafts: DraftFields } | { readonly lost: string };

/** Nothing is ever lost silently: a form is given only if it makes the same request again. */
export function formOf(fields: readonly Field[], request: Json): Shown {
  if (!isObject(request)) return { lost: "the request, which isn't an object" };
  const drafts = draftsOf(fields, request);
  const lost = difference(request, requestOf(fields, drafts).json, "");
  return lost === undefined ? { drafts } : { lost };
}

function draftsOf(fields: readonly Field[], message: { readonly [key: string]: Json }): DraftFields {
  const present = fields.filter(({ name }) => Object.hasOwn(message, name));
  return Object.fromEntries(present.map((field) => [field.name, draftFrom(field, message[field.name] ?? null)]));
}

function draftFrom(field: Field, json: Json): Draft {
  switch (field.kind) {
    case "scalar":
      return { kind: "text", text: scalarText(json) ?? "" };
    case "list":
      return { kind: "items", items: itemsOf(Array.isArray(json) ? json.map((item) => ["", item]) : []) };
    case "map":
      return { kind: "items", items: itemsOf(isObject(json) ? Object.entries(json) : []) };
    case "message":
      return { kind: "message", fields: isObject(json) ? draftsOf(field.fields, json) : {} };
    case "json":
      return { kind: "text", text: JSON.stringify(json, undefined, 2) };
  }
}

function itemsOf(entries: readonly (readonly [string, Json])[]): readonly Item[] {
  return entries.reduce<readonly Item[]>((items, [key, json]) => addItem(items, key, scalarText(json) ?? ""), []);
}

/** The first path at which the second isn't the first, a number and its text being the same. */
function difference(wanted: Json, got: Json | undefined, path: string): string | undefined {
  const isLeftOut = got === undefined && isObject(wanted) && Object.keys(wanted).length > 0;
  if (isLeftOut) return difference(wanted, {}, path);
  if (isObject(wanted) && isObject(got)) return firstDifference(Object.entries(wanted), (key) => ownOf(got, key), path);
  if (Array.isArray(wanted) && Array.isArray(got) && wanted.length === got.length) {
    return firstDifference([...wanted.entries()], (index) => got[index], path);
  }
  const text = scalarText(wanted);
  const isSame = text === undefined ? JSON.stringify(wanted) === JSON.stringify(got) : text === scalarText(got);
  return isSame ? undefined : path;
}

function firstDifference<K extends string | number>(
  entries: readonly (readonly [K, Json])[],
  other: (key: K) => Json | undefined,
  path: string,
): string | undefined {
  for (const [key, value] of entries) {
    const found = difference(value, other(key), pathOf(path, key));
    if (found !== undefined) return found;
  }
  return undefined;
}

function ownOf(object: { readonly [key: string]: Json }, key: string): Json | undefined {
  return Object.hasOwn(object, key) ? object[key] : undefined;
}
