import { Config, RemoteConfig } from "@microts/blocks/config";
import { explainConfig } from "./config-explain.ts";
import { connection, inherited, inheritedSignal } from "./connection.ts";
import { processLog } from "./process-log.ts";
import { resubscribed } from "./resubscribe.ts";
import { check, type Schema } from "./schema/schema.ts";

export interface ConfigOptions<T> {
  /** What stands for a value that isn't there. Default: the schema sees `undefined`. */
  readonly default?: T;
}

export interface WatchOptions<T> extends ConfigOptions<T> {
  /** Ends the watch; so does leaving the loop and, inside a handler, the end of its call. */
  readonly signal?: AbortSignal;
}

/** A value that the server keeps up to date. */
export interface LiveConfig<T> extends AsyncDisposable {
  /** As it was last told, and fit the schema. */
  readonly value: T;
}

let opened: Config | undefined;

function open(): Config {
  opened ??= new Config(new RemoteConfig(connection().rpc));
  return opened;
}

/** The value, or undefined when nothing is there. */
async function get<T = unknown>(path: string): Promise<T | undefined>;
/** The value as the schema returns it. Throws 400 for one that doesn't fit: where, what it has to be, and the command that mends it. */
async function get<T>(path: string, schema: Schema<unknown, T>, options?: ConfigOptions<NoInfer<T>>): Promise<T>;
async function get<T>(
  path: string,
  schema?: Schema<unknown, T>,
  options: ConfigOptions<T> = {},
): Promise<T | undefined> {
  const value = await open().get(path, { ...scope(), signal: inherited().signal, secret: true });
  return checked(path, value, schema, options);
}

/**
 * The value as it is now, then again whenever it has changed; undefined stands for nothing there. After the server was away only what has changed meanwhile
 * comes. Throws when the first connection fails, and with a schema when the first value doesn't fit; a later one is left out, with a line in the log.
 */
function watch<T = unknown>(
  path: string,
  schema?: undefined,
  options?: WatchOptions<T>,
): AsyncGenerator<T | undefined, void, undefined>;
function watch<T>(
  path: string,
  schema: Schema<unknown, T>,
  options?: WatchOptions<NoInfer<T>>,
): AsyncGenerator<T, void, undefined>;
function watch<T>(
  path: string,
  schema?: Schema<unknown, T>,
  options: WatchOptions<T> = {},
): AsyncGenerator<T | undefined, void, undefined> {
  return follow(path, schema, options, inheritedSignal(options.signal));
}

/** The value as it is at any time, without asking for it. Rejects as `watch` throws; ends with `await using` or the process. */
async function live<T>(
  path: string,
  schema: Schema<unknown, T>,
  options: ConfigOptions<NoInfer<T>> = {},
): Promise<LiveConfig<T>> {
  const ending = new AbortController();
  const values = follow(path, schema, options, ending.signal);
  const first = await values.next();
  if (first.done) throw new Error(`the watch of "${path}" ended at once`);
  let latest = first.value;
  const following = (async () => {
    try {
      for await (const value of values) latest = value;
    } catch (error) {
      processLog().error("a configuration isn't followed any more: restart the service", { path, error });
    }
  })();
  return {
    get value() {
      return latest;
    },
    async [Symbol.asyncDispose]() {
      ending.abort();
      await following;
    },
  };
}

/** The tenant's configuration, by dotted paths such as `mail.host`. Secrets are shown in clear: a service is trusted with them. */
export const config = {
  get,
  watch,
  live,

  /** Sets a value; an object is merged into what is there. `secret` encrypts it at rest. */
  async set(path: string, value: unknown, { secret = false }: { readonly secret?: boolean } = {}): Promise<void> {
    await open().set(path, value, { ...scope(), signal: inherited().signal, secret });
  },

  /** Removes a value. What isn't there is fine. */
  async delete(path: string): Promise<void> {
    await open().delete(path, { ...scope(), signal: inherited().signal });
  },
} as const;

function scope() {
  return { namespace: connection().env.namespace };
}

async function* follow<T>(
  path: string,
  schema: Schema<unknown, T> | undefined,
  options: ConfigOptions<T>,
  signal: AbortSignal | undefined,
): AsyncGenerator<T, void, undefined> {
  let last: { readonly text: string | undefined } | undefined;
  for await (const value of resubscribed(() => open().watch(path, { ...scope(), secret: true, signal }), signal)) {
    const text = JSON.stringify(value);
    const isFirst = last === undefined;
    if (last?.text === text && !isFirst) continue;
    last = { text };
    try {
      yield await checked(path, value, schema, options);
    } catch (error) {
      if (isFirst) throw error;
      processLog().warn("a change of the configuration is left out", { error });
    }
  }
}

async function checked<T>(
  path: string,
  value: unknown,
  schema: Schema<unknown, T> | undefined,
  options: ConfigOptions<T>,
): Promise<T> {
  if (value === undefined && options.default !== undefined) return options.default;
  if (schema === undefined) return value as T;
  const result = await check(schema, value);
  if ("value" in result) return result.value;
  // Asked for only now: which values are secrets doesn't matter to those that fit.
  const masked = value === undefined ? undefined : await open().get(path, scope());
  throw explainConfig({ path, schema, value, masked, issues: result.issues });
}
