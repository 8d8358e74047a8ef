import { MicroError } from "./errors.ts";

const pattern = /^[a-z0-9][a-z0-9-]{0,62}$/;

/** Returns the namespace: lower-case letters, digits and `-`, at most 63. Throws 400 under `id` for anything else. */
export function checkNamespace(namespace: string, id: string): string {
  if (pattern.test(namespace)) return namespace;
  const shown = JSON.stringify(namespace.slice(0, 80));
  throw MicroError.badRequest(
    id,
    `${shown} is not a namespace: it takes lower-case letters, digits and "-", begins with a letter or digit and is at most 63 long`,
  );
}
