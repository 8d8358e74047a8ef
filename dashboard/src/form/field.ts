import type { Value } from "../api/contract.ts";

const scalarTypes = ["string", "bool", "int32", "int64", "uint32", "uint64", "float32", "float64", "bytes"] as const;

export type ScalarType = (typeof scalarTypes)[number];

/** How one field of a request is edited. `type` is what the page shows. */
export type Field = { readonly name: string; readonly type: string } & (
  | { readonly kind: "scalar"; readonly scalar: ScalarType }
  | { readonly kind: "list"; readonly scalar: ScalarType }
  | { readonly kind: "map"; readonly scalar: ScalarType }
  | MessageField
  | { readonly kind: "json" }
);

interface MessageField {
  readonly kind: "message";
  readonly fields: readonly Field[];
}

/** Registries go six levels deep; a schema that goes further is edited as JSON from there. */
const depthLimit = 12;

/** The field for a node of the schema. Lists and maps of messages, enums and unknown types are edited as JSON. */
export function fieldOf({ name, type, values }: Value, depth = 0): Field {
  const base = { name, type };
  const scalar = scalarOf(type);
  if (scalar !== undefined) return { ...base, kind: "scalar", scalar };
  const item = scalarOf(/^\[\](.+)$/.exec(type)?.[1]);
  if (item !== undefined) return { ...base, kind: "list", scalar: item };
  const mapped = scalarOf(/^map\[string\](.+)$/.exec(type)?.[1]);
  if (mapped !== undefined) return { ...base, kind: "map", scalar: mapped };
  const isMessage = values.length > 0 && !/^(\[\]|map\[)/.test(type);
  if (isMessage && depth < depthLimit) return { ...base, kind: "message", fields: fieldsOf(values, depth + 1) };
  return { ...base, kind: "json" };
}

/** The fields of a request, or undefined when only JSON can describe it. */
export function requestFields(request: Value | null): readonly Field[] | undefined {
  if (request === null || scalarOf(request.type) !== undefined || /^(\[\]|map\[)/.test(request.type)) return undefined;
  return fieldsOf(request.values, 0);
}

function fieldsOf(values: readonly Value[], depth: number): readonly Field[] {
  const byName = new Map(values.map((value) => [value.name, fieldOf(value, depth)]));
  return [...byName.values()];
}

function scalarOf(type: string | undefined): ScalarType | undefined {
  if (type === "[]uint8") return "bytes";
  return scalarTypes.find((known) => known === type);
}
