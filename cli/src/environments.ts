import type { ConfigFile } from "./config-file.ts";
import { CommandError } from "./failure.ts";
import { isObject } from "./json.ts";
import { hint } from "./nearest.ts";

export interface Environment {
  readonly name: string;
  /** `host:port` of the proxy; empty when none was given. */
  readonly address: string;
  readonly description: string;
}

/** Always there. */
const localEnvironment: Environment = {
  name: "local",
  address: "127.0.0.1:8081",
  description: "Local running Micro Server",
};

/** Names that mean something else in the config file, where an environment has its own keys under its name. */
const reservedNames = ["env", "envs", "namespaces", "git", "micro"];

/** Where commands act: named proxy addresses, kept in the config file under `envs` (a JSON text, as in the original). */
export class Environments {
  readonly #config: ConfigFile;

  constructor(config: ConfigFile) {
    this.#config = config;
  }

  /** By name. */
  async list(): Promise<Environment[]> {
    const own = await this.#own();
    const all = [localEnvironment, ...own.filter(({ name }) => name !== localEnvironment.name)];
    return all.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** Throws when there is none of that name. */
  async get(name: string): Promise<Environment> {
    const all = await this.list();
    const found = all.find((environment) => environment.name === name);
    if (found !== undefined) return found;
    const near = hint(
      name,
      all.map((environment) => environment.name),
    );
    throw new CommandError(1, `Env "${name}" not found. ${near}See \`micro env\` for available environments.`, 404);
  }

  /** The name chosen with `micro env set`, else `local`. */
  async current(): Promise<string> {
    return (await this.#config.get("env")) || localEnvironment.name;
  }

  async choose(name: string): Promise<void> {
    const all = await this.list();
    if (!all.some((environment) => environment.name === name)) {
      const near = hint(
        name,
        all.map((environment) => environment.name),
      );
      throw new CommandError(1, `Environment '${name}' does not exist. ${near}See: micro env`, 404);
    }
    await this.#config.set("env", name);
  }

  /** Adds the environment or replaces one of the same name. */
  async add(environment: Environment): Promise<void> {
    if (!/^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/.test(environment.name)) {
      throw new CommandError(1, `"${environment.name}" cannot be an environment's name: use letters, digits, - and _`);
    }
    if (environment.name === localEnvironment.name || reservedNames.includes(environment.name)) {
      throw new CommandError(1, `"${environment.name}" is built in. Choose another name`, 409);
    }
    const others = (await this.#own()).filter(({ name }) => name !== environment.name);
    await this.#write([...others, environment]);
  }

  async remove(name: string): Promise<void> {
    if (name === localEnvironment.name) throw new CommandError(1, `"${name}" is built in and cannot be deleted`);
    await this.get(name);
    if (name === (await this.current())) {
      throw new CommandError(1, `"${name}" is the environment in use. Choose another one first: micro env set local`);
    }
    await this.#write((await this.#own()).filter((environment) => environment.name !== name));
  }

  async #own(): Promise<Environment[]> {
    const text = (await this.#config.get("envs")) ?? "{}";
    let parsed: unknown;
    try {
      parsed = JSON.parse(text);
    } catch {
      parsed = undefined;
    }
    if (!isObject(parsed)) {
      throw new CommandError(
        1,
        `"envs" in ${this.#config.path} is damaged: it is not the JSON text of an object. Repair or remove it`,
        500,
      );
    }
    return Object.entries(parsed).map(([name, value]) => {
      const entry = isObject(value) ? value : {};
      return { name, address: String(entry["ProxyAddress"] ?? ""), description: String(entry["Description"] ?? "") };
    });
  }

  async #write(environments: readonly Environment[]): Promise<void> {
    const entries = environments.map(({ name, address, description }) => [
      name,
      { Name: name, ProxyAddress: address, Description: description },
    ]);
    await this.#config.set("envs", JSON.stringify(Object.fromEntries(entries)));
  }
}
