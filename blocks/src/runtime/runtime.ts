import { checkNamespace, defaultNamespace, MicroError } from "@microts/core";
import type { CreateOptions, LogLine, Owner, RuntimeDriver, RuntimeService, UpdateOptions } from "./driver.ts";
import {
  checkCount,
  checkEntrypoint,
  checkEnv,
  checkInstances,
  checkMetadata,
  checkServiceName,
  checkSource,
  checkVersion,
  checkWords,
} from "./validate.ts";

/** Largest source unless set otherwise: a tar of 256 MiB. */
export const defaultMaxSourceBytes = 256 * 1024 * 1024;

export interface RuntimeOptions {
  /** Default 256 MiB. */
  readonly maxSourceBytes?: number | undefined;
}

export interface InNamespace {
  /** Default `micro`. */
  readonly namespace?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface OfVersion extends InNamespace {
  /** Default `latest`. */
  readonly version?: string | undefined;
}

/** A service to run. */
export interface NewService {
  readonly name: string;
  /** Default `latest`. */
  readonly version?: string | undefined;
  /** Default the source uploaded under its name and version. */
  readonly source?: string | undefined;
  /** Shown by `read`; `source` is where it came from, for people. */
  readonly metadata?: Readonly<Record<string, string>> | undefined;
}

/** Defaults: nothing added to the environment, the source's root, one instance, no force. */
export interface RunOptions extends InNamespace, Partial<CreateOptions> {
  readonly owner: Owner;
}

export interface ReadOptions extends InNamespace {
  /** Default all. */
  readonly name?: string | undefined;
  /** Default all. */
  readonly version?: string | undefined;
}

export interface LogOptions extends InNamespace {
  /** Default the only version, or `latest` of several. */
  readonly version?: string | undefined;
  /** The last so many lines. Default 0: all that is kept. */
  readonly count?: number | undefined;
  readonly since?: Date | undefined;
  /** Whether to stay for the lines to come. Default false. */
  readonly follow?: boolean | undefined;
}

const never = new AbortController().signal;

/** Brings services from source to running and keeps them so. */
export class Runtime {
  readonly #driver: RuntimeDriver;
  readonly #maxSourceBytes: number;

  constructor(driver: RuntimeDriver, { maxSourceBytes = defaultMaxSourceBytes }: RuntimeOptions = {}) {
    this.#driver = driver;
    this.#maxSourceBytes = maxSourceBytes;
  }

  /** Keeps a source, an uncompressed tar, and returns the key to run it by. Throws 413 when it is too large. */
  async upload(
    name: string,
    chunks: AsyncIterable<Uint8Array>,
    { namespace, version = "", signal = never }: OfVersion = {},
  ): Promise<string> {
    const id = "runtime.Source.Upload";
    const tenant = tenantOf(namespace, id);
    return wrap(
      id,
      this.#driver.upload(tenant, checkServiceName(name, id), checkVersion(version, id), this.#limited(chunks), signal),
    );
  }

  /** The built program in chunks. Throws 404 when there is none. */
  async build(
    name: string,
    { namespace, version = "", signal = never }: OfVersion = {},
  ): Promise<AsyncIterable<Uint8Array>> {
    const id = "runtime.Build.Read";
    const tenant = tenantOf(namespace, id);
    const wanted = checkVersion(version, id);
    const chunks = await wrap(id, this.#driver.build(tenant, checkServiceName(name, id), wanted, signal));
    if (chunks === undefined)
      throw MicroError.notFound(
        id,
        `there is no build of service "${name}" version "${wanted}" in namespace "${tenant}"`,
      );
    return chunks;
  }

  /** Builds and starts a service; resolves once it answers. Throws 409 when it is there already, 400 with the reason when it can't be brought up. */
  async create(service: NewService, options: RunOptions): Promise<void> {
    const id = "runtime.Runtime.Create";
    const { namespace, owner, signal = never } = options;
    const checked: CreateOptions = {
      env: checkEnv(options.env ?? {}, id),
      entrypoint: checkEntrypoint(options.entrypoint ?? "", id),
      command: checkWords(options.command ?? [], "the command", id),
      args: checkWords(options.args ?? [], "the list of arguments", id),
      instances: checkInstances(options.instances ?? 1, 1, id),
      force: options.force ?? false,
    };
    await wrap(id, this.#driver.create(tenantOf(namespace, id), checkService(service, id), checked, owner, signal));
  }

  /** Services by name, then version. */
  async read({ namespace, name = "", version = "", signal = never }: ReadOptions = {}): Promise<RuntimeService[]> {
    const id = "runtime.Runtime.Read";
    return wrap(id, this.#driver.read(tenantOf(namespace, id), name, version, signal));
  }

  /** Replaces a running service without a gap. When that fails the old one stays and this throws 400 with the reason. 404 when there is none. */
  async update(
    service: NewService,
    { namespace, entrypoint = "", instances = 0, signal = never }: InNamespace & Partial<UpdateOptions> = {},
  ): Promise<void> {
    const id = "runtime.Runtime.Update";
    const checked = { entrypoint: checkEntrypoint(entrypoint, id), instances: checkInstances(instances, 0, id) };
    await wrap(id, this.#driver.update(tenantOf(namespace, id), checkService(service, id), checked, signal));
  }

  /** Stops a service and forgets it. 404 when there is none. */
  async delete(name: string, { namespace, version = "", signal = never }: OfVersion = {}): Promise<void> {
    const id = "runtime.Runtime.Delete";
    await wrap(
      id,
      this.#driver.delete(tenantOf(namespace, id), checkServiceName(name, id), checkVersion(version, id), signal),
    );
  }

  /** What a service has written. 404 when it is unknown. */
  async logs(
    name: string,
    { namespace, version = "", count = 0, since, follow = false, signal = never }: LogOptions = {},
  ): Promise<AsyncIterable<LogLine>> {
    const id = "runtime.Runtime.Logs";
    const wanted = version === "" ? "" : checkVersion(version, id);
    const query = { service: checkServiceName(name, id), version: wanted, count: checkCount(count, id), since, follow };
    return wrap(id, this.#driver.logs(tenantOf(namespace, id), query, signal));
  }

  async *#limited(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
    let size = 0;
    for await (const chunk of chunks) {
      size += chunk.byteLength;
      if (size > this.#maxSourceBytes) {
        throw MicroError.tooLarge(
          "runtime.Source.Upload",
          `the source is larger than ${this.#maxSourceBytes} bytes, which is the limit. Leave out what the service doesn't need`,
        );
      }
      yield chunk;
    }
  }
}

function tenantOf(namespace: string | undefined, id: string): string {
  return checkNamespace(namespace || defaultNamespace, id);
}

function checkService({ name, version = "", source = "", metadata = {} }: NewService, id: string) {
  const checked = {
    name: checkServiceName(name, id),
    version: checkVersion(version, id),
    metadata: checkMetadata(metadata, id),
  };
  return { ...checked, source: checkSource(source, id) || `source://${checked.name}:${checked.version}` };
}

/** The endpoint's id for what a driver threw; the code and the words are the driver's. */
async function wrap<T>(id: string, answer: Promise<T>): Promise<T> {
  try {
    return await answer;
  } catch (error) {
    const { code, detail } = MicroError.from(error, id);
    throw new MicroError(code, id, detail, { cause: error });
  }
}
