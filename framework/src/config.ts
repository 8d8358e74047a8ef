import { Config, RemoteConfig } from "@microts/blocks/config";
import { MicroError } from "@microts/core";
import { connection, inherited, inheritedSignal } from "./connection.ts";
import { resubscribed } from "./resubscribe.ts";
import { type Schema, validate } from "./schema/schema.ts";

let opened: Config | undefined;

function open(): Config {
  opened ??= new Config(new RemoteConfig(connection().rpc));
  return opened;
}

function scope() {
  const { signal } = inherited();
  return { namespace: connection().env.namespace, ...(signal && { signal }) };
}

/** The tenant's configuration, by dotted paths such as `mail.host`. Secrets are shown in clear: a service is trusted with them. */
export const config = {
  /** The value, or undefined when nothing is there. With a schema the value (or its absence) is checked and typed. */
  async get<T = unknown>(path: string, schema?: Schema<unknown, T>): Promise<T | undefined> {
    const value = await open().get(path, { ...scope(), secret: true });
    if (schema === undefined) return value as T | undefined;
    return validate(schema, value, (issues) =>
      MicroError.badRequest(
        "config",
        `the configuration "${path}" is not as this service needs it: ${issues}. Set it with: micro config set ${path} <value>`,
      ),
    );
  },

  /**
   * The value as it is now, then again whenever it has changed, until the signal aborts or the loop is left; inside a handler, until its call ends.
   * Undefined stands for nothing there. After the server was away only what has changed meanwhile comes. Throws when the first connection fails.
   */
  async *watch<T = unknown>(
    path: string,
    { signal }: { readonly signal?: AbortSignal } = {},
  ): AsyncGenerator<T | undefined, void, undefined> {
    const until = inheritedSignal(signal);
    const options = { namespace: connection().env.namespace, secret: true, signal: until };
    let last: string | undefined;
    let isFirst = true;
    for await (const value of resubscribed(() => open().watch(path, options), until)) {
      const text = JSON.stringify(value);
      if (!isFirst && text === last) continue;
      isFirst = false;
      last = text;
      yield value as T | undefined;
    }
  },

  /** Sets a value; an object is merged into what is there. `secret` encrypts it at rest. */
  async set(path: string, value: unknown, { secret = false }: { readonly secret?: boolean } = {}): Promise<void> {
    await open().set(path, value, { ...scope(), secret });
  },

  /** Removes a value. What isn't there is fine. */
  async delete(path: string): Promise<void> {
    await open().delete(path, scope());
  },
} as const;
