import { checkNamespace, defaultNamespace, MicroError } from "@microts/core";
import type { ConfigDriver, Json, RotationProgress } from "./driver.ts";
import { checkJson, maxDepth } from "./json.ts";
import { parsePath } from "./path.ts";

export interface ConfigCallOptions {
  /** Default `micro`. */
  readonly namespace?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface GetOptions extends ConfigCallOptions {
  /** Shows secrets instead of `[secret]`. Default false. */
  readonly secret?: boolean | undefined;
}

export interface SetOptions extends ConfigCallOptions {
  /** Encrypts every value set. Default false. */
  readonly secret?: boolean | undefined;
}

const never = new AbortController().signal;

/** One JSON document for each namespace, read and changed by dotted paths such as `database.password`. */
export class Config implements AsyncDisposable {
  readonly #driver: ConfigDriver;

  constructor(driver: ConfigDriver) {
    this.#driver = driver;
  }

  /** The value at a path (empty: the whole document), or undefined when nothing is there. Objects have no prototype. */
  async get(path: string, options: GetOptions = {}): Promise<Json | undefined> {
    const at = "config.Config.Get";
    const { secret = false, signal = never } = options;
    return this.#driver.get(namespaceOf(options, at), parsePath(path, at), secret, signal);
  }

  /** Sets the value at a path. An object is merged into an object that is there, leaf by leaf; anything else replaces. Throws 400, and 413 beyond 1 MiB. */
  async set(path: string, value: unknown, options: SetOptions = {}): Promise<void> {
    const at = "config.Config.Set";
    const { secret = false, signal = never } = options;
    const keys = parsePath(path, at);
    if (keys.length === 0)
      throw MicroError.badRequest(at, "invalid change: the path is missing, such as database.password");
    if (keys.length > maxDepth)
      throw MicroError.badRequest(at, `invalid change: the path has more than ${maxDepth} keys`);
    const json = checkJson(value, at, maxDepth - keys.length);
    await this.#driver.set(namespaceOf(options, at), keys, json, secret, signal);
  }

  /** Removes the value at a path (empty: the whole document). What isn't there is fine. */
  async delete(path: string, options: ConfigCallOptions = {}): Promise<void> {
    const at = "config.Config.Delete";
    await this.#driver.delete(namespaceOf(options, at), parsePath(path, at), options.signal ?? never);
  }

  /**
   * The value at a path as `get` gives it: first as it is now, then again whenever that has changed, until the signal aborts or the loop is left. Who is
   * slow to read may miss values, never the latest.
   */
  async watch(path: string, options: GetOptions = {}): Promise<AsyncIterable<Json | undefined>> {
    const at = "config.Config.Watch";
    const { secret = false, signal = never } = options;
    return this.#driver.watch(namespaceOf(options, at), parsePath(path, at), secret, signal);
  }

  /**
   * Puts all secrets of all namespaces under new keys while config stays in use, and says how far it is. Goes on when nobody listens. Throws 412 while secrets
   * are sealed, 409 while another rotation runs.
   */
  async rotate({
    signal = never,
  }: {
    readonly signal?: AbortSignal | undefined;
  } = {}): Promise<AsyncIterable<RotationProgress>> {
    return this.#driver.rotate(signal);
  }

  /** Why secrets of the namespace can be neither set nor read, and what mends it; undefined when they can. */
  async sealed(options: ConfigCallOptions = {}): Promise<string | undefined> {
    return this.#driver.sealed(namespaceOf(options, "config.Config.Sealed"), options.signal ?? never);
  }

  /** Closes the driver. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#driver[Symbol.asyncDispose]();
  }
}

function namespaceOf(options: ConfigCallOptions, at: string): string {
  return checkNamespace(options.namespace || defaultNamespace, at);
}
