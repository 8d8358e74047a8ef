import { join } from "node:path";
import type {
  CreateOptions,
  LogLine,
  LogQuery,
  Owner,
  RuntimeDriver,
  RuntimeService,
  ServiceSource,
  UpdateOptions,
} from "@microts/blocks/runtime";
import { wholeBlob } from "@microts/blocks/store";
import { type Log, MicroError } from "@microts/core";
import { Builder } from "./build.ts";
import { Deployer } from "./deployer.ts";
import { KeyedQueue } from "./keyed-queue.ts";
import { Leftovers } from "./leftovers.ts";
import { ServiceLogs } from "./logs.ts";
import { describeService, type ManagedService } from "./managed-service.ts";
import type { EmbeddedRuntimeOptions, RuntimeEvent } from "./options.ts";
import {
  buildKey,
  keyOf,
  newRecord,
  type ServiceKey,
  type ServiceRecord,
  ServiceRecords,
  updatedRecord,
} from "./record.ts";
import { Rollout } from "./rollout.ts";
import { Workspaces } from "./workspace.ts";

const id = "runtime";
/** Services started at the same time when the server starts. */
const startsAtOnce = 4;

/**
 * Runs TypeScript and JavaScript services as child processes of the server: unpacks and bundles their source, gives each its own identity, folder and
 * log, keeps them running, and replaces them without a gap. Call `start` once before the first use.
 */
export class EmbeddedRuntime implements RuntimeDriver {
  readonly name = "embedded";
  readonly #options: EmbeddedRuntimeOptions;
  readonly #log: Log;
  readonly #services = new Map<string, ManagedService>();
  readonly #queue = new KeyedQueue();
  readonly #records: ServiceRecords;
  readonly #workspaces: Workspaces;
  readonly #logs: ServiceLogs;
  readonly #leftovers: Leftovers;
  readonly #builder: Builder;
  readonly #rollout: Rollout;
  #started: Promise<void> | undefined;
  #relaunching: Promise<void> = Promise.resolve();
  #closed: Promise<void> | undefined;

  constructor(options: EmbeddedRuntimeOptions) {
    const { dataDir, store, frameworkModules } = options;
    const log = options.log.with({ part: "runtime" });
    this.#options = options;
    this.#log = log;
    this.#records = new ServiceRecords(store, log);
    const workspaces = new Workspaces(join(dataDir, "runtime"));
    this.#workspaces = workspaces;
    this.#logs = new ServiceLogs(join(dataDir, "logs"), log);
    this.#leftovers = new Leftovers(join(dataDir, "runtime-processes"), log);
    this.#builder = new Builder(frameworkModules);
    const deployer = new Deployer({
      options,
      log,
      builder: this.#builder,
      workspaces,
      logs: this.#logs,
      leftovers: this.#leftovers,
      npmCache: join(dataDir, "npm-cache"),
    });
    this.#rollout = new Rollout({
      options,
      log,
      deployer,
      workspaces,
      records: this.#records,
      services: this.#services,
      queue: this.#queue,
      logs: this.#logs,
    });
  }

  /**
   * Ends what a killed server left running, reads the records, and starts again everything that ran before. Resolves when the records are read; the
   * services come up after that, and their states are in `read`.
   */
  start(): Promise<void> {
    this.#started ??= this.#load().then(() => {
      this.#relaunching = this.#relaunchAll();
    });
    return this.#started;
  }

  async upload(
    namespace: string,
    name: string,
    version: string,
    chunks: AsyncIterable<Uint8Array>,
    signal: AbortSignal,
  ): Promise<string> {
    const key = `source://${name}:${version}`;
    await this.#options.blobs.write(
      namespace,
      key,
      { contentType: "application/x-tar", public: false },
      chunks,
      signal,
    );
    return key;
  }

  async build(
    namespace: string,
    name: string,
    version: string,
    signal: AbortSignal,
  ): Promise<AsyncIterable<Uint8Array> | undefined> {
    return this.#options.blobs.read(namespace, buildKey({ name, version }), wholeBlob, signal);
  }

  async create(
    namespace: string,
    service: ServiceSource,
    options: CreateOptions,
    owner: Owner,
    signal: AbortSignal,
  ): Promise<void> {
    await this.#ready();
    checkRunnable(service.source, options.command);
    const record = newRecord(namespace, service, options, owner);
    const type = await this.#queue.run(keyOf(record), signal, async (both) => {
      const before = this.#services.get(keyOf(record));
      if (before === undefined || before.record.status === "error") {
        await this.#rollout.launch(record, both);
        return "service.created" as const;
      }
      if (!options.force) throw alreadyThere(record);
      await this.#rollout.replace(before, record, both);
      return "service.updated" as const;
    });
    await this.#tell(type, record);
  }

  async read(namespace: string, name: string, version: string, _signal: AbortSignal): Promise<RuntimeService[]> {
    await this.#ready();
    return [...this.#services.values()]
      .filter(
        ({ record }) =>
          record.namespace === namespace &&
          (name === "" || record.name === name) &&
          (version === "" || record.version === version),
      )
      .sort(({ record: a }, { record: b }) => compare(a.name, b.name) || compare(a.version, b.version))
      .map(describeService);
  }

  async update(namespace: string, service: ServiceSource, options: UpdateOptions, signal: AbortSignal): Promise<void> {
    await this.#ready();
    checkRunnable(service.source, []);
    const key = { namespace, name: service.name, version: service.version };
    await this.#queue.run(keyOf(key), signal, async (both) => {
      const before = this.#services.get(keyOf(key));
      if (before === undefined) throw unknownService(key);
      const record = updatedRecord(before.record, service, options);
      if (before.record.status === "error") await this.#rollout.launch({ ...record, status: "pending" }, both);
      else await this.#rollout.replace(before, record, both);
    });
    await this.#tell("service.updated", key);
  }

  async delete(namespace: string, name: string, version: string, signal: AbortSignal): Promise<void> {
    await this.#ready();
    const key = { namespace, name, version };
    this.#queue.interrupt(
      keyOf(key),
      MicroError.conflict(id, `service "${name}" version "${version}" was deleted meanwhile`),
    );
    await this.#queue.run(keyOf(key), signal, async () => {
      const service = this.#services.get(keyOf(key));
      if (service === undefined) throw unknownService(key);
      service.phase = "stopping";
      await service.deployment?.stop();
      await this.#rollout.forget(service);
    });
    await this.#tell("service.deleted", key);
  }

  async logs(namespace: string, query: LogQuery, signal: AbortSignal): Promise<AsyncIterable<LogLine>> {
    await this.#ready();
    const versions = [...this.#services.values()]
      .map(({ record }) => record)
      .filter((record) => record.namespace === namespace && record.name === query.service);
    const wanted = query.version || (versions.length === 1 ? (versions[0]?.version ?? "") : "latest");
    const record = versions.find(({ version }) => version === wanted);
    if (record === undefined) throw unknownService({ namespace, name: query.service, version: wanted });
    return this.#logs.of(record).read(query, signal);
  }

  /** Stops every service and waits until no process is left. They start again with the next server. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed ??= this.#close();
    await this.#closed;
  }

  async #close(): Promise<void> {
    await this.#started?.catch(() => {});
    await this.#queue.close(MicroError.unavailable(id, "the server is stopping"));
    await Promise.all([...this.#services.values()].map(({ deployment }) => deployment?.stop()));
    await this.#relaunching;
    await this.#logs[Symbol.asyncDispose]();
    this.#builder[Symbol.dispose]();
  }

  async #ready(): Promise<void> {
    if (this.#closed !== undefined) throw MicroError.unavailable(id, "the server is stopping");
    await this.start();
  }

  async #load(): Promise<void> {
    await this.#logs.prepare();
    await this.#leftovers.killAll();
    const records = await this.#records.list();
    await this.#workspaces.prepare(new Set(records.map(({ workspace }) => workspace)));
    for (const record of records) {
      const pending = record.status === "pending";
      const known: ServiceRecord = pending
        ? { ...record, status: "error", error: "the server stopped while it was being started" }
        : record;
      const phase = known.status === "running" ? "pending" : undefined;
      this.#services.set(keyOf(known), { record: known, phase, deployment: undefined });
    }
  }

  async #relaunchAll(): Promise<void> {
    const waiting = [...this.#services.values()].filter(({ record }) => record.status === "running");
    const work = async () => {
      for (let service = waiting.shift(); service !== undefined; service = waiting.shift())
        await this.#rollout.relaunch(service);
    };
    await Promise.all(Array.from({ length: startsAtOnce }, work));
  }

  async #tell(type: RuntimeEvent["type"], { namespace, name, version }: ServiceKey): Promise<void> {
    try {
      await this.#options.events?.({ type, namespace, name, version });
    } catch (error) {
      this.#log.warn("an event was not published", { type, service: name, error });
    }
  }
}

function checkRunnable(source: string, command: readonly string[]): void {
  if (!source.startsWith("source://")) {
    throw MicroError.notImplemented(
      id,
      `the source ${JSON.stringify(source)} can't be run: this runtime runs folders that are uploaded. Clone it and run the folder: micro run ./folder`,
    );
  }
  if (command.length > 0) {
    throw MicroError.notImplemented(
      id,
      `the command ${JSON.stringify(command.join(" "))} can't be run: this runtime runs TypeScript and JavaScript services by their own entry file`,
    );
  }
}

function alreadyThere({ namespace, name, version }: ServiceKey): MicroError {
  return MicroError.conflict(
    id,
    `service "${name}" version "${version}" runs in namespace "${namespace}" already. Use: micro update, or micro run --force`,
  );
}

function unknownService({ namespace, name, version }: ServiceKey): MicroError {
  return MicroError.notFound(
    id,
    `service "${name}" version "${version}" not found in namespace "${namespace}". See what runs with: micro status`,
  );
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
