import type { Context } from "../../context.ts";

/** Which records. */
export const placeFlags = {
  database: { kind: "text", short: "d", help: "database (default: the namespace in use)" },
  table: { kind: "text", short: "t", fallback: "micro", help: "table" },
} as const;

/** How many of them. */
export const rangeFlags = {
  limit: { kind: "int", short: "l", help: "at most so many" },
  offset: { kind: "int", short: "o", help: "leave out so many at the beginning" },
  order: { kind: "text", choices: ["asc", "desc"], fallback: "asc", help: "by key" },
} as const;

export async function place(
  flags: { database: string | undefined; table: string },
  { session }: Context,
): Promise<{ database: string; table: string }> {
  return { database: flags.database ?? (await session.namespace()), table: flags.table };
}

export function range({
  limit = 0,
  offset = 0,
  order,
}: {
  limit: number | undefined;
  offset: number | undefined;
  order: string;
}) {
  return { limit: BigInt(limit), offset: BigInt(offset), order };
}
