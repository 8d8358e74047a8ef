import { Instance, type InstanceSpec, type InstanceSurroundings } from "./instance.ts";
import type { ServiceLog } from "./service-log.ts";
import type { Workspace } from "./workspace.ts";

/** What proves to the platform which service a process is. */
export interface Credentials {
  readonly id: string;
  readonly secret: string;
}

export interface DeploymentOptions {
  readonly workspace: Workspace;
  readonly credentials: Credentials;
  readonly instances: number;
  readonly spec: InstanceSpec;
  readonly log: ServiceLog;
  readonly around: InstanceSurroundings;
}

/** One build of a service, running as one or more instances. */
export class Deployment {
  readonly workspace: Workspace;
  readonly credentials: Credentials;
  readonly startedAt = new Date();
  readonly #instances: readonly Instance[];

  constructor({ workspace, credentials, instances, spec, log, around }: DeploymentOptions) {
    this.workspace = workspace;
    this.credentials = credentials;
    this.#instances = Array.from({ length: instances }, () => new Instance(spec, log, around));
  }

  /** Running when one instance is; else error when one has failed; else starting. */
  get status(): "running" | "error" | "starting" {
    const states = this.#instances.map(({ state }) => state.status);
    if (states.includes("running")) return "running";
    return states.includes("error") ? "error" : "starting";
  }

  /** Why an instance isn't running; "" when all are or are about to. */
  get error(): string {
    return this.#instances.map(({ state }) => state.error).find((error) => error !== "") ?? "";
  }

  get restarts(): number {
    return this.#instances.reduce((sum, { restarts }) => sum + restarts, 0);
  }

  /** Resolves when every instance has registered. When one fails all are stopped and this throws its error. */
  async launch(signal: AbortSignal): Promise<void> {
    try {
      await Promise.all(this.#instances.map((instance) => instance.launch(signal)));
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  /** Starts every instance, however often it takes. Resolves after the first try of each. */
  async resume(): Promise<void> {
    await Promise.all(this.#instances.map((instance) => instance.resume()));
  }

  /** Resolves when no process is left. */
  async stop(): Promise<void> {
    await Promise.all(this.#instances.map((instance) => instance.stop()));
  }
}
