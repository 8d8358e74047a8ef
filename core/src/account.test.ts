import { equal, throws } from "node:assert/strict";
import { describe, it } from "node:test";
import { type Account, isAdmin, isMember, requireAccount, requireAdmin, requireMember } from "./account.ts";

const account = (type: string, issuer: string, ...scopes: string[]): Account => ({
  id: "x",
  name: "jane",
  type,
  issuer,
  scopes,
  metadata: {},
});

/** Wire §11: who is a member and who an admin of the namespace `acme`. */
const table = [
  { who: account("user", "acme"), member: true, admin: false },
  { who: account("user", "acme", "admin"), member: true, admin: true },
  { who: account("user", "acme", "service"), member: true, admin: false },
  { who: account("service", "acme"), member: true, admin: false },
  { who: account("service", "acme", "service"), member: true, admin: true },
  { who: account("service", "acme", "admin"), member: true, admin: false },
  { who: account("robot", "acme", "admin", "service"), member: false, admin: false },
  { who: account("", "acme"), member: false, admin: false },
  { who: account("user", "micro"), member: false, admin: false },
  { who: account("user", "micro", "admin"), member: true, admin: true },
  { who: account("user", "micro", "service"), member: false, admin: false },
  { who: account("service", "micro"), member: false, admin: false },
  { who: account("service", "micro", "service"), member: true, admin: true },
  { who: account("robot", "micro", "admin", "service"), member: false, admin: false },
  { who: account("user", "other", "admin"), member: false, admin: false },
  { who: account("service", "other", "service"), member: false, admin: false },
  { who: account("user", "", "admin"), member: false, admin: false },
];

const id = "store.Store.Read";

describe("an account", () => {
  for (const { who, member, admin } of table) {
    const role = admin ? "an admin" : member ? "a member" : "nobody";
    it(`of type "${who.type}" of "${who.issuer}" with the scopes [${who.scopes}] is ${role} in acme`, () => {
      equal(isMember(who, "acme"), member);
      equal(isAdmin(who, "acme"), admin);
      if (member) equal(requireMember(who, "acme", id), who);
      else throws(() => requireMember(who, "acme", id), { code: 403, id, detail: /^access denied to namespace/ });
      if (admin) equal(requireAdmin(who, "acme", id), who);
      else
        throws(() => requireAdmin(who, "acme", id), {
          code: 403,
          id,
          detail: member ? /^Unauthorized/ : /^access denied to namespace/,
        });
    });
  }

  it("is required where a call needs one", () => {
    for (const require of [requireMember, requireAdmin])
      throws(() => require(undefined, "acme", id), { code: 401, id, detail: /^an account is required/ });
    throws(() => requireAccount(undefined, id), { code: 401, id });
    const anybody = account("robot", "far");
    equal(requireAccount(anybody, id), anybody);
  });
});
