import { usageError } from "../failure.ts";
import { hint } from "../nearest.ts";
import type { Value } from "../registry.ts";
import { fold } from "./endpoint.ts";

/** A part of a request that a flag can set. */
export interface Field {
  /** Names from the root down, as they stand in JSON. */
  readonly path: readonly string[];
  readonly type: string;
  /** A message with known fields; set whole it takes JSON. */
  readonly isMessage: boolean;
}

/** Every part of a request, messages before what is in them. */
export function fieldsOf(request: Value): Field[] {
  return request.values.flatMap((value) => nested(value, []));
}

function nested({ name, type, values }: Value, above: readonly string[]): Field[] {
  const path = [...above, name];
  const isMessage = values.length > 0 && !/^(\[\]|map\[)/.test(type);
  return [{ path, type, isMessage }, ...(isMessage ? values.flatMap((value) => nested(value, path)) : [])];
}

/** How help writes the field: `options_ttl`. */
export function flagName({ path }: Field): string {
  return path.join("_");
}

/** The fields that a flag's name may mean: usually one. Levels are joined with `_`, `-` or `.`, and camelCase may be written with dashes. */
export function matchFields(fields: readonly Field[], name: string): readonly Field[] {
  // `a_b` is the field of that name before it is `b` in `a`.
  const verbatim = fields.filter(({ path }) => path.join(".") === name);
  if (verbatim.length > 0) return verbatim;
  const exact = fields.filter(({ path }) => ["_", "-"].some((joint) => path.join(joint) === name));
  return exact.length > 0 ? exact : fields.filter(({ path }) => fold(path.join("")) === fold(name));
}

/** The one field that a flag's name means. Throws a usage error that names the flags there are. */
export function findField(fields: readonly Field[], name: string, command: string): Field {
  const found = matchFields(fields, name);
  const [first, second] = found;
  if (first === undefined) throw unknownFlag(fields, name, command);
  if (second === undefined) return first;
  const paths = found.map(({ path }) => path.join(".")).join(" or ");
  throw usageError(`--${name} could be ${paths}. Write it with dots, or give the request as JSON`);
}

function unknownFlag(fields: readonly Field[], name: string, command: string): Error {
  const leaves = fields.filter(({ isMessage }) => !isMessage);
  if (leaves.length === 0) return usageError(`Unknown flag: --${name}. ${command} takes no flags`);
  const near = hint(
    `--${name}`,
    leaves.map((field) => `--${flagName(field)}`),
  );
  const known = leaves.map((field) => `--${flagName(field)} ${field.type}`).join(", ");
  return usageError(`Unknown flag: --${name}. ${near}${command} takes: ${known}`);
}
