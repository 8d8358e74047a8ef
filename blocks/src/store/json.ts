import { MicroError } from "@microts/core";

/** The value as JSON. Throws 400 for what JSON has no form for, such as undefined, a bigint and what contains itself. */
export function jsonOf(key: string, value: unknown): string {
  let json: string | undefined;
  let reason = "";
  try {
    json = JSON.stringify(value);
  } catch (error) {
    reason = `: ${error instanceof Error ? error.message.split("\n", 1)[0] : error}`;
  }
  if (json !== undefined) return json;
  throw MicroError.badRequest("store.Store.Write", `the value of "${key}" can't be written as JSON${reason}`);
}
