import type { Rule } from "@microts/blocks/auth";
import type { StoreDriver } from "@microts/blocks/store";
import { MicroError } from "@microts/core";
import { authTable } from "./auth-accounts.ts";
import { KeyedMutex } from "./keyed-mutex.ts";

const maxRules = 1000;
const never = new AbortController().signal;

const defaultRule: Rule = {
  id: "default",
  scope: "",
  resource: { type: "service", name: "*", endpoint: "*" },
  access: "granted",
  priority: 0,
};

/** A namespace's rules in one record. No record means that nobody has touched them: the default rule; an empty one stays empty. */
export class RuleBook {
  readonly #store: StoreDriver;
  readonly #mutex = new KeyedMutex();

  constructor(store: StoreDriver) {
    this.#store = store;
  }

  async list(namespace: string): Promise<Rule[]> {
    const record = await this.#store.read(authTable, keyOf(namespace), never);
    return record === undefined ? [defaultRule] : (JSON.parse(Buffer.from(record.value).toString()) as Rule[]);
  }

  /** Throws 409 when the id is taken. */
  async add(namespace: string, rule: Rule): Promise<void> {
    await this.#change(namespace, (rules) => {
      if (rules.some(({ id }) => id === rule.id)) {
        const fix = `Delete it first with: micro auth delete rule ${rule.id}`;
        throw MicroError.conflict(
          "auth.Rules.Create",
          `A rule with this ID already exists: "${rule.id}" in "${namespace}". ${fix}`,
        );
      }
      if (rules.length >= maxRules) {
        throw MicroError.badRequest(
          "auth.Rules.Create",
          `"${namespace}" has ${maxRules} rules, which is the most it can have`,
        );
      }
      return [...rules, rule];
    });
  }

  /** Throws 404 when it isn't there. */
  async remove(namespace: string, ruleId: string): Promise<void> {
    await this.#change(namespace, (rules) => {
      const left = rules.filter(({ id }) => id !== ruleId);
      if (left.length < rules.length) return left;
      const fix = "List them with: micro auth list rules";
      throw MicroError.notFound(
        "auth.Rules.Delete",
        `Rule not found: there is no "${ruleId}" in "${namespace}". ${fix}`,
      );
    });
  }

  #change(namespace: string, change: (rules: Rule[]) => Rule[]): Promise<void> {
    return this.#mutex.run(namespace, async () => {
      const rules = change(await this.list(namespace));
      const value = Buffer.from(JSON.stringify(rules));
      await this.#store.write(authTable, { key: keyOf(namespace), value, metadata: {}, expiresAt: undefined }, never);
    });
  }
}

function keyOf(namespace: string): string {
  return `rules/${namespace}`;
}
