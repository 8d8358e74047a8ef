import { type Json, parseJson } from "../json-text.ts";
import { type Draft, type DraftFields, draftOf, type Item } from "./draft.ts";
import type { Field, ScalarType } from "./field.ts";
import { type Parsed, parseScalar } from "./scalar.ts";

/** What is wrong, by the path of the field (`address.lines.0`). Empty when nothing is. */
export type Problems = ReadonlyMap<string, string>;

export interface Request {
  readonly json: { readonly [key: string]: Json };
  readonly problems: Problems;
}

/** The request that a form stands for. Fields left empty are left out, and so are messages without fields. */
export function requestOf(fields: readonly Field[], drafts: DraftFields): Request {
  const problems = new Map<string, string>();
  return { json: messageOf(fields, drafts, "", problems), problems };
}

/** The path of a field inside the message at `parent`, which is empty for the request. */
export function pathOf(parent: string, name: string | number): string {
  return parent === "" ? String(name) : `${parent}.${name}`;
}

type Found = Map<string, string>;

function messageOf(fields: readonly Field[], drafts: DraftFields, parent: string, problems: Found) {
  const entries: [string, Json][] = [];
  for (const field of fields) {
    const value = jsonOf(field, draftOf(field, drafts), pathOf(parent, field.name), problems);
    if (value !== undefined) entries.push([field.name, value]);
  }
  return Object.fromEntries(entries);
}

function jsonOf(field: Field, draft: Draft, path: string, problems: Found): Json | undefined {
  if (draft.kind === "message") {
    if (field.kind !== "message") return undefined;
    const message = messageOf(field.fields, draft.fields, path, problems);
    return Object.keys(message).length === 0 ? undefined : message;
  }
  if (draft.kind === "items") {
    if (field.kind === "list") return listOf(field.scalar, draft.items, path, problems);
    return field.kind === "map" ? mapOf(field.scalar, draft.items, path, problems) : undefined;
  }
  if (draft.text.trim() === "" && (field.kind !== "scalar" || field.scalar !== "string" || draft.text === "")) {
    return undefined;
  }
  return checked(
    field.kind === "scalar" ? parseScalar(field.scalar, draft.text) : parseText(draft.text),
    path,
    problems,
  );
}

function listOf(scalar: ScalarType, items: readonly Item[], path: string, problems: Found): Json | undefined {
  if (items.length === 0) return undefined;
  return items.map(({ id, text }) => checked(parseScalar(scalar, text), pathOf(path, id), problems) ?? null);
}

function mapOf(scalar: ScalarType, items: readonly Item[], path: string, problems: Found): Json | undefined {
  const rows = items.filter(({ key, text }) => key !== "" || text !== "");
  if (rows.length === 0) return undefined;
  const entries = new Map<string, Json>();
  for (const { id, key, text } of rows) {
    const rowPath = pathOf(path, id);
    if (key === "") problems.set(rowPath, "needs a key");
    else if (entries.has(key)) problems.set(rowPath, "has the key of another row");
    entries.set(key, checked(parseScalar(scalar, text), rowPath, problems) ?? null);
  }
  return Object.fromEntries(entries);
}

function parseText(text: string): Parsed {
  try {
    return { value: parseJson(text) };
  } catch (error) {
    return { problem: `isn't JSON: ${(error as Error).message}` };
  }
}

function checked(parsed: Parsed, path: string, problems: Found): Json | undefined {
  if ("value" in parsed) return parsed.value;
  problems.set(path, parsed.problem);
  return undefined;
}
