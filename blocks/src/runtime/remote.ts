import { MicroError, namespaceKey } from "@microts/core";
import { openStream, type RpcClient, type ServiceClient, serviceClient } from "@microts/core/rpc";
import { Build, type BuildReadResponse, type LogRecord, Runtime as RuntimeProto, Source } from "@microts/proto/runtime";
import {
  type CreateOptions,
  type LogLine,
  type LogQuery,
  type Owner,
  type RuntimeDriver,
  type RuntimeService,
  type ServiceSource,
  serviceStatuses,
  type UpdateOptions,
} from "./driver.ts";

/** A build may fetch packages, and a start may take its time: calls that bring up a service wait this long. */
const deployTimeoutMs = 600_000;
/** A process may take a while to end. */
const deleteTimeoutMs = 60_000;
const chunkBytes = 64 * 1024;

/** The runtime of a platform elsewhere, over its RPC services. The owner of what it creates is whoever the client is signed in as. */
export class RemoteRuntime implements RuntimeDriver {
  readonly name = "remote";
  readonly #runtime: ServiceClient<(typeof RuntimeProto)["method"]>;
  readonly #source: ServiceClient<(typeof Source)["method"]>;
  readonly #rpc: RpcClient;

  constructor(rpc: RpcClient) {
    this.#runtime = serviceClient(RuntimeProto, rpc, "runtime");
    this.#source = serviceClient(Source, rpc, "runtime");
    this.#rpc = rpc;
  }

  async upload(
    namespace: string,
    name: string,
    version: string,
    chunks: AsyncIterable<Uint8Array>,
    signal: AbortSignal,
  ): Promise<string> {
    const requests = uploadRequests(name, version, chunks);
    const { id } = await this.#source.upload(requests, { signal, metadata: { [namespaceKey]: namespace } });
    return id;
  }

  async build(
    namespace: string,
    name: string,
    version: string,
    signal: AbortSignal,
  ): Promise<AsyncIterable<Uint8Array> | undefined> {
    try {
      const options = { signal, metadata: { [namespaceKey]: namespace } };
      return dataOf(await openStream(Build.method.read, this.#rpc, "runtime", { name, version }, options));
    } catch (error) {
      if (error instanceof MicroError && error.code === 404) return undefined;
      throw error;
    }
  }

  async create(
    namespace: string,
    service: ServiceSource,
    options: CreateOptions,
    _owner: Owner,
    signal: AbortSignal,
  ): Promise<void> {
    const { env, entrypoint, command, args, instances, force } = options;
    await this.#runtime.create(
      {
        resource: { service: serviceMessage(service) },
        options: {
          namespace,
          env: Object.entries(env).map(([name, value]) => `${name}=${value}`),
          entrypoint,
          command: [...command],
          args: [...args],
          instances: BigInt(instances),
          force,
        },
      },
      { signal, timeoutMs: deployTimeoutMs },
    );
  }

  async read(namespace: string, name: string, version: string, signal: AbortSignal): Promise<RuntimeService[]> {
    const { services } = await this.#runtime.read({ options: { namespace, service: name, version } }, { signal });
    return services.map(({ name, version, source, metadata: { status: _, ...metadata }, status }) => ({
      name,
      version,
      source,
      metadata,
      status: serviceStatuses[status] ?? "unknown",
    }));
  }

  async update(
    namespace: string,
    service: ServiceSource,
    { entrypoint, instances }: UpdateOptions,
    signal: AbortSignal,
  ): Promise<void> {
    const options = { namespace, entrypoint, instances: BigInt(instances) };
    await this.#runtime.update(
      { resource: { service: serviceMessage(service) }, options },
      { signal, timeoutMs: deployTimeoutMs },
    );
  }

  async delete(namespace: string, name: string, version: string, signal: AbortSignal): Promise<void> {
    const request = { resource: { service: { name, version } }, options: { namespace } };
    await this.#runtime.delete(request, { signal, timeoutMs: deleteTimeoutMs });
  }

  async logs(namespace: string, query: LogQuery, signal: AbortSignal): Promise<AsyncIterable<LogLine>> {
    const { service, version, count, since, follow } = query;
    const from = since === undefined ? 0n : BigInt(Math.floor(since.getTime() / 1000));
    const request = { service, version, count: BigInt(count), since: from, stream: follow, options: { namespace } };
    return linesOf(
      await openStream(RuntimeProto.method.logs, this.#rpc, "runtime", request, { signal }),
      query,
      signal,
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}

async function* uploadRequests(name: string, version: string, chunks: AsyncIterable<Uint8Array>) {
  yield { service: { name, version } };
  for await (const chunk of chunks) {
    for (let from = 0; from < chunk.length; from += chunkBytes) yield { data: chunk.subarray(from, from + chunkBytes) };
  }
}

async function* dataOf(replies: AsyncIterable<BuildReadResponse>): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const { data } of replies) yield data;
}

/** The wire's timestamp has seconds; the exact time comes as metadata. Ends quietly when the reader's signal aborts. */
async function* linesOf(
  records: AsyncIterable<LogRecord>,
  { since }: LogQuery,
  signal: AbortSignal,
): AsyncGenerator<LogLine, void, undefined> {
  try {
    for await (const {
      timestamp,
      metadata: { time, ...metadata },
      message,
    } of records) {
      const at = time === undefined ? new Date(Number(timestamp) * 1000) : new Date(time);
      if (since === undefined || at >= since) yield { timestamp: at, metadata, message };
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

function serviceMessage({ name, version, source, metadata }: ServiceSource) {
  return { name, version, source, metadata: { ...metadata } };
}
