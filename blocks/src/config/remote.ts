import { MicroError } from "@microts/core";
import { openStream, type RpcClient, type ServiceClient, serviceClient } from "@microts/core/rpc";
import { Config, type WatchResponse } from "@microts/proto/config";
import type { ConfigDriver, Json, RotationProgress } from "./driver.ts";
import { checkJson, isObject } from "./json.ts";
import { formatPath } from "./path.ts";

/** The platform's `config` service, called over RPC with the rights of whoever calls. */
export class RemoteConfig implements ConfigDriver {
  readonly name = "remote";
  readonly #rpc: RpcClient;
  readonly #config: ServiceClient<(typeof Config)["method"]>;

  /** `rpc` stays the caller's to close. */
  constructor(rpc: RpcClient) {
    this.#rpc = rpc;
    this.#config = serviceClient(Config, rpc, "config");
  }

  async get(
    namespace: string,
    path: readonly string[],
    reveal: boolean,
    signal: AbortSignal,
  ): Promise<Json | undefined> {
    const value = await this.#read(namespace, path, reveal, signal);
    const last = path.at(-1);
    if (value !== null || last === undefined) return value;
    // The wire says null both for a null and for nothing: the parent knows.
    const parent = await this.#read(namespace, path.slice(0, -1), false, signal);
    return isObject(parent) && Object.hasOwn(parent, last) ? null : undefined;
  }

  async set(
    namespace: string,
    path: readonly string[],
    value: Json,
    secret: boolean,
    signal: AbortSignal,
  ): Promise<void> {
    const request = {
      namespace,
      path: formatPath(path),
      value: { data: JSON.stringify(value), format: "json" },
      options: { secret },
    };
    await this.#config.set(request, { signal });
  }

  async delete(namespace: string, path: readonly string[], signal: AbortSignal): Promise<void> {
    await this.#config.delete({ namespace, path: formatPath(path) }, { signal });
  }

  async watch(
    namespace: string,
    path: readonly string[],
    secret: boolean,
    signal: AbortSignal,
  ): Promise<AsyncIterable<Json | undefined>> {
    const request = { namespace, path: formatPath(path), options: { secret } };
    return valuesOf(await openStream(Config.method.watch, this.#rpc, "config", request, { signal }), signal);
  }

  async rotate(signal: AbortSignal): Promise<AsyncIterable<RotationProgress>> {
    return openStream(Config.method.rotate, this.#rpc, "config", {}, { signal });
  }

  async sealed(namespace: string, signal: AbortSignal): Promise<string | undefined> {
    const { reason } = await this.#config.sealed({ namespace }, { signal });
    return reason || undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  async #read(
    namespace: string,
    path: readonly string[],
    secret: boolean,
    signal: AbortSignal,
  ): Promise<Json | undefined> {
    try {
      const request = { namespace, path: formatPath(path), options: { secret } };
      const { value } = await this.#config.get(request, { signal });
      return checkJson(JSON.parse(value?.data || "null"), "config.Config.Get");
    } catch (error) {
      if (error instanceof MicroError && error.code === 404) return undefined;
      throw error;
    }
  }
}

/** Without an error at the end that the signal itself brought about. */
async function* valuesOf(
  replies: AsyncIterable<WatchResponse>,
  signal: AbortSignal,
): AsyncGenerator<Json | undefined, void, undefined> {
  try {
    for await (const { value } of replies)
      yield value === undefined ? undefined : checkJson(JSON.parse(value.data), "config.Config.Watch");
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}
