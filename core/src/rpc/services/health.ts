import { Health as HealthService, HealthCheckResponse_ServingStatus as Status } from "@microts/proto/grpc/health/v1";
import { MicroError } from "../../errors.ts";
import { type Method, methodsOf } from "../method.ts";

const id = (rpc: string) => `${HealthService.typeName}.${rpc}`;

/** More are not listed (gRPC health.proto). */
const maxListed = 100;

/**
 * Which services of a server can be called (gRPC health-checking.md). The server as a whole is the service ""; it serves from the beginning,
 * the others are unknown until they are set.
 */
export class Health {
  readonly #serving = new Map<string, boolean>([["", true]]);
  readonly #watchers = new Set<() => void>();
  #isShutDown = false;

  /** Says whether a service can be called. Does nothing after `shutDown`. */
  set(service: string, isServing: boolean): void {
    if (this.#isShutDown) return;
    this.#serving.set(service, isServing);
    this.#tell();
  }

  /** No service can be called from here on: whoever balances load by health sends new calls elsewhere while the running ones finish. */
  shutDown(): void {
    for (const service of this.#serving.keys()) this.#serving.set(service, false);
    this.#isShutDown = true;
    this.#tell();
  }

  /** Undefined for a service that nobody has set. */
  status(service: string): Status | undefined {
    const isServing = this.#serving.get(service);
    if (isServing === undefined) return undefined;
    return isServing ? Status.SERVING : Status.NOT_SERVING;
  }

  /** Every service that has been set. */
  statuses(): Record<string, Status> {
    const names = [...this.#serving.keys()];
    return Object.fromEntries(names.map((name) => [name, this.status(name) ?? Status.SERVICE_UNKNOWN]));
  }

  /**
   * The status now and each one it changes to, until the signal aborts. Who reads slowly misses those in between, never the last.
   * Throws 503 after the last word of a server that shuts down: a watcher must not hold up its stop.
   */
  async *watch(service: string, signal: AbortSignal): AsyncGenerator<Status, void, undefined> {
    let told: Status | undefined;
    while (!signal.aborted) {
      const status = this.status(service) ?? Status.SERVICE_UNKNOWN;
      if (status !== told) {
        told = status;
        yield status;
      } else if (this.#isShutDown) throw MicroError.unavailable(id("Watch"), "this server is stopping");
      else await this.#change(signal);
    }
  }

  async #change(signal: AbortSignal): Promise<void> {
    const change = Promise.withResolvers<void>();
    const wake = () => change.resolve();
    this.#watchers.add(wake);
    signal.addEventListener("abort", wake);
    await change.promise;
    this.#watchers.delete(wake);
    signal.removeEventListener("abort", wake);
  }

  #tell(): void {
    for (const wake of this.#watchers) wake();
  }
}

/** The rpcs of `grpc.health.v1.Health`. */
export function healthMethods(health: Health): Method[] {
  return methodsOf(HealthService, {
    check: async ({ service }) => {
      const status = health.status(service);
      if (status === undefined)
        throw MicroError.notFound(
          id("Check"),
          `unknown service "${service}". Ask for "" or one of those that List names`,
        );
      return { status };
    },
    list: async () => {
      const statuses = Object.entries(health.statuses());
      if (statuses.length > maxListed)
        throw new MicroError(
          429,
          id("List"),
          `this server has ${statuses.length} services, and at most ${maxListed} are listed`,
        );
      return { statuses: Object.fromEntries(statuses.map(([name, status]) => [name, { status }])) };
    },
    watch: async function* ({ service }, { signal }) {
      for await (const status of health.watch(service, signal)) yield { status };
    },
  });
}
