import { MicroError } from "@microts/core";

/** How a call is written rightly, for whoever has no types to tell. */
export interface Usage {
  /** Such as `topic("orders").handle`. */
  readonly call: string;
  readonly example: string;
}

/** Throws 400 for what isn't an object of options. `undefined` has its default before. */
export function checkOptions(options: unknown, { call, example }: Usage): void {
  if (typeof options === "object" && options !== null && !Array.isArray(options)) return;
  throw MicroError.badRequest(
    "service",
    `${call} takes an object of options, not ${shown(options)}. Write: ${example}`,
  );
}

/** Throws 400 for arguments with which no event would ever be handled, or each would fail. */
export function checkHandle(options: unknown, handler: unknown, usage: Usage): void {
  const { call, example } = usage;
  const refused = (what: string) => MicroError.badRequest("service", `${call} ${what}. Write: ${example}`);
  if (typeof options === "function") throw refused("takes its options first and the handler second");
  checkOptions(options, usage);
  if (typeof handler !== "function") throw refused(`needs a function as its second argument, not ${shown(handler)}`);
  const { concurrency = 1, onError } = options as { readonly concurrency?: unknown; readonly onError?: unknown };
  if (!Number.isSafeInteger(concurrency) || (concurrency as number) < 1)
    throw refused(`takes a concurrency of 1 or more, not ${shown(concurrency)}`);
  if (onError !== undefined && typeof onError !== "function")
    throw refused(`takes a function as onError, not ${shown(onError)}`);
}

function shown(value: unknown): string {
  if (typeof value === "function") return "a function";
  if (Array.isArray(value)) return "an array";
  if (typeof value === "object" && value !== null) return "an object";
  return typeof value === "string" ? JSON.stringify(value) : String(value);
}
