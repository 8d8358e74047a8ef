import { createReadStream } from "node:fs";
import { type Log, MicroError } from "@microts/core";
import type { Built, Deployer } from "./deployer.ts";
import type { Deployment } from "./deployment.ts";
import type { KeyedQueue } from "./keyed-queue.ts";
import type { ServiceLogs } from "./logs.ts";
import type { ManagedService } from "./managed-service.ts";
import type { EmbeddedRuntimeOptions } from "./options.ts";
import { buildKey, keyOf, type ServiceRecord, type ServiceRecords } from "./record.ts";
import type { Workspaces } from "./workspace.ts";

const id = "runtime";
const never = new AbortController().signal;
const longestError = 4096;

export interface RolloutParts {
  readonly options: EmbeddedRuntimeOptions;
  readonly log: Log;
  /** What the server knows, by `keyOf`. */
  readonly services: Map<string, ManagedService>;
  readonly queue: KeyedQueue;
  readonly records: ServiceRecords;
  readonly workspaces: Workspaces;
  readonly logs: ServiceLogs;
  readonly deployer: Deployer;
}

/** Takes services from one state to another, and keeps what is in memory, in the store and on disk in step. One call for each service at a time. */
export class Rollout {
  readonly #parts: RolloutParts;

  constructor(parts: RolloutParts) {
    this.#parts = parts;
  }

  /** Brings up a service that isn't there, or whose first start failed. When this fails too the record says why. */
  async launch(record: ServiceRecord, signal: AbortSignal): Promise<void> {
    const service: ManagedService = { record, phase: "building", deployment: undefined };
    this.#parts.services.set(keyOf(record), service);
    try {
      await this.#parts.records.write(record);
      const deployment = await this.#deploy(service, record, signal);
      service.deployment = deployment;
      service.phase = undefined;
    } catch (error) {
      const failure = MicroError.from(error, id);
      service.phase = undefined;
      service.record = { ...record, status: "error", error: failure.detail.slice(0, longestError) };
      await this.#parts.records.write(service.record);
      await this.#parts.options.revoke(record.namespace, record.name, record.version);
      throw failure;
    }
  }

  /** Brings up the new beside what runs, then stops that. When this fails nothing has changed. */
  async replace(service: ManagedService, record: ServiceRecord, signal: AbortSignal): Promise<void> {
    const before = service.deployment;
    service.phase = "building";
    try {
      service.deployment = await this.#deploy(service, record, signal);
    } catch (error) {
      throw MicroError.from(error, id);
    } finally {
      service.phase = undefined;
    }
    await before?.stop();
    if (before !== undefined) await this.#parts.workspaces.remove(before.workspace);
  }

  /** Builds, starts, waits until it has registered, and writes the record down: `service.record` is the new one then, and not before. */
  async #deploy(service: ManagedService, record: ServiceRecord, signal: AbortSignal): Promise<Deployment> {
    const built = await this.#parts.deployer.build(record, signal);
    let deployment: Deployment | undefined;
    try {
      const { namespace, name, version } = record;
      const credentials =
        service.deployment?.credentials ?? (await this.#parts.options.credentials(namespace, name, version));
      deployment = this.#parts.deployer.deployment(built, credentials);
      service.phase = "starting";
      await deployment.launch(signal);
      const running = {
        ...built.record,
        status: "running",
        error: "",
        started: deployment.startedAt.toISOString(),
      } as const;
      await this.#parts.records.write(running);
      service.record = running;
      await this.#keepBuild(built);
      return deployment;
    } catch (error) {
      await deployment?.stop();
      await this.#parts.workspaces.remove(built.workspace);
      throw error;
    }
  }

  /** The bundle is there for others to fetch; the service runs without that too. */
  async #keepBuild({ record, prepared }: Built): Promise<void> {
    const info = { contentType: "text/javascript", public: false };
    try {
      await this.#parts.options.blobs.write(
        record.namespace,
        buildKey(record),
        info,
        createReadStream(prepared.bundle.file),
        never,
      );
    } catch (error) {
      this.#parts.log.warn("a bundle was not kept", { service: record.name, error });
    }
  }

  /** Starts a service again that ran before; it then tries for as long as it takes. When it can't even be built the service says why. */
  async relaunch(service: ManagedService): Promise<void> {
    const { namespace, name, version } = service.record;
    try {
      await this.#parts.queue.run(keyOf(service.record), never, async (signal) => {
        if (service.deployment !== undefined || this.#parts.services.get(keyOf(service.record)) !== service) return;
        service.phase = "building";
        const built = await this.#parts.deployer.rebuild(service.record, signal);
        const deployment = this.#parts.deployer.deployment(
          built,
          await this.#parts.options.credentials(namespace, name, version),
        );
        if (built.record.workspace !== service.record.workspace) await this.#parts.records.write(built.record);
        service.record = { ...built.record, error: "" };
        service.deployment = deployment;
        service.phase = undefined;
      });
      await service.deployment?.resume();
    } catch (error) {
      const { detail } = MicroError.from(error, id);
      this.#parts.log.error("a service that ran before was not started again", {
        namespace,
        service: name,
        version,
        error: detail,
      });
      service.phase = undefined;
      service.record = { ...service.record, error: detail.slice(0, longestError) };
    }
  }

  /** Removes all that is kept of a service that has been stopped. */
  async forget({ record, deployment }: ManagedService): Promise<void> {
    const { namespace, name, version, source } = record;
    await this.#parts.records.delete(record);
    this.#parts.services.delete(keyOf(record));
    const left = deployment?.workspace ?? this.#parts.workspaces.open(namespace, record.workspace);
    if (left.name !== "") await this.#parts.workspaces.remove(left);
    await this.#parts.logs.remove(record);
    const shared = [...this.#parts.services.values()].some(
      (other) => other.record.namespace === namespace && other.record.source === source,
    );
    if (!shared) await this.#parts.options.blobs.delete(namespace, source, never);
    await this.#parts.options.blobs.delete(namespace, buildKey(record), never);
    await this.#parts.options.revoke(namespace, name, version);
  }
}
