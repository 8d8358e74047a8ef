import { stat } from "node:fs/promises";
import { type Log, MicroError } from "@microts/core";
import type { Builder } from "./build.ts";
import { systemClock } from "./clock.ts";
import { type Credentials, Deployment } from "./deployment.ts";
import { serviceEnvironment } from "./environment.ts";
import type { InstanceSpec, InstanceSurroundings } from "./instance.ts";
import type { Leftovers } from "./leftovers.ts";
import type { ServiceLogs } from "./logs.ts";
import type { EmbeddedRuntimeOptions } from "./options.ts";
import { buildSource, type Prepared, type PrepareOptions, prepareSource } from "./prepare.ts";
import type { ServiceRecord } from "./record.ts";
import type { Workspace, Workspaces } from "./workspace.ts";

const defaultStopGraceMs = 15_000;
const defaultRegisterTimeoutMs = 30_000;
/** A node that can't be taken out of routing for so long is stopped all the same. */
const longestDrainMs = 10_000;

export interface DeployerParts {
  readonly options: EmbeddedRuntimeOptions;
  readonly builder: Builder;
  readonly workspaces: Workspaces;
  readonly logs: ServiceLogs;
  readonly leftovers: Leftovers;
  readonly npmCache: string;
  readonly log: Log;
}

/** A source made ready in a workspace, and the record that says so. */
export interface Built {
  readonly record: ServiceRecord;
  readonly workspace: Workspace;
  readonly prepared: Prepared;
}

/** Brings a record's source to a deployment that can be started. */
export class Deployer {
  readonly #parts: DeployerParts;
  readonly #prepare: PrepareOptions;

  constructor(parts: DeployerParts) {
    this.#parts = parts;
    const { blobs, frameworkModules, environment = {} } = parts.options;
    const provided = new Set(Object.keys(frameworkModules));
    this.#prepare = { blobs, builder: parts.builder, provided, npmCache: parts.npmCache, environment };
  }

  /** Unpacks and builds in a new workspace, of which nothing is left when it fails. */
  async build(record: ServiceRecord, signal: AbortSignal): Promise<Built> {
    const workspace = await this.#parts.workspaces.create(record.namespace);
    try {
      return await this.#built(record, workspace, await prepareSource(record, workspace, this.#prepare, signal));
    } catch (error) {
      await this.#parts.workspaces.remove(workspace);
      throw error;
    }
  }

  /** Builds again in the workspace the record names; from the source blob when that is gone. */
  async rebuild(record: ServiceRecord, signal: AbortSignal): Promise<Built> {
    const workspace = this.#parts.workspaces.open(record.namespace, record.workspace);
    const there = record.workspace !== "" && (await stat(workspace.source).catch(() => undefined)) !== undefined;
    if (!there) return this.build(record, signal);
    return this.#built(record, workspace, await buildSource(record, workspace, this.#prepare, signal));
  }

  /** The deployment of what was built, not started yet. */
  deployment({ record, workspace, prepared }: Built, credentials: Credentials): Deployment {
    return new Deployment({
      workspace,
      credentials,
      instances: record.instances,
      spec: this.#spec(record, workspace, prepared, credentials),
      log: this.#parts.logs.of(record),
      around: this.#around(record),
    });
  }

  async #built(record: ServiceRecord, workspace: Workspace, prepared: Prepared): Promise<Built> {
    await this.#parts.logs.of(record).append("runtime", prepared.bundle.warnings);
    return { record: { ...record, workspace: workspace.name, build: prepared.bundle.hash }, workspace, prepared };
  }

  #spec(
    record: ServiceRecord,
    { home, tmp }: Workspace,
    { bundle, folder }: Prepared,
    credentials: Credentials,
  ): InstanceSpec {
    const { options } = this.#parts;
    const { name, version, namespace, env, args } = record;
    const identity = { name, version, namespace, env, credentials, home, tmp, publicKey: options.publicKey };
    return {
      name,
      process: (nodeId) => ({
        nodeId,
        file: bundle.file,
        folder,
        args,
        environment: serviceEnvironment(
          { ...identity, nodeId, proxyAddress: options.proxyAddress() },
          options.environment ?? {},
        ),
      }),
    };
  }

  #around({ namespace, name, version }: ServiceRecord): InstanceSurroundings {
    const { options, log, leftovers } = this.#parts;
    return {
      leftovers,
      log: log.with({ namespace, version }),
      clock: options.clock ?? systemClock,
      stopGraceMs: options.stopGraceMs ?? defaultStopGraceMs,
      registerTimeoutMs: options.registerTimeoutMs ?? defaultRegisterTimeoutMs,
      registered: (nodeId, signal) => options.registered(namespace, name, version, nodeId, signal),
      drain: (nodeId) => within(options.drain(namespace, nodeId), longestDrainMs),
    };
  }
}

async function within(work: Promise<void>, ms: number): Promise<void> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => late.reject(MicroError.timeout("runtime.drain", `it took longer than ${ms / 1000} s`)),
    ms,
  );
  try {
    await Promise.race([work, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
