import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { type Log, MicroError } from "@microts/core";
import { type RpcClient, type ServiceClient, serviceClient } from "@microts/core/rpc";
import { Registry } from "@microts/proto/registry";
import type { Environment } from "./environment.ts";
import type { BoundEndpoint } from "./methods.ts";
import { registryValue } from "./schema/value.ts";

export interface Registered {
  readonly name: string;
  readonly version: string;
  readonly address: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly endpoints: readonly BoundEndpoint[];
}

/** The lease, and how often it is renewed: two renewals may fail before the node is taken out. */
const ttlSeconds = 15;
const renewMs = 3_000;
/** After a failed renewal: a restarted server has its services back within this. */
const retryMs = 1_000;

/** Keeps this process in the registry (wire §6). */
export class Registration {
  readonly #registry: ServiceClient<(typeof Registry)["method"]>;
  readonly #proxy: string;
  readonly #entry: ReturnType<typeof entryOf>;
  readonly #standalone: boolean;
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;
  #renewal: Promise<void> | undefined;

  constructor(rpc: RpcClient, env: Environment, service: Registered) {
    this.#registry = serviceClient(Registry, rpc, "registry");
    this.#proxy = env.proxy;
    this.#standalone = env.credentials === undefined;
    this.#entry = entryOf(service, env);
  }

  /** Registers, and again before the lease ends. Rejects when the first time fails. */
  async start(log: Log): Promise<void> {
    try {
      await this.#registry.register(this.#entry);
    } catch (error) {
      throw this.#explain(MicroError.from(error, "service"));
    }
    this.#schedule(log, renewMs);
  }

  #schedule(log: Log, delayMs: number, failed = false): void {
    if (this.#stopped) return;
    this.#timer = setTimeout(() => {
      this.#renewal = this.#renew(log, failed);
    }, delayMs);
  }

  async #renew(log: Log, failed: boolean): Promise<void> {
    try {
      await this.#registry.register(this.#entry);
      if (failed) log.info("registered again");
      this.#schedule(log, renewMs);
    } catch (error) {
      if (!failed)
        log.warn("could not renew the registration, trying again each second", {
          reason: MicroError.from(error, "service").detail,
        });
      this.#schedule(log, retryMs, true);
    }
  }

  /** Leaves the registry; a server that isn't there any more is no reason to complain. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    // A renewal on its way must not bring back what the next line takes out.
    await Promise.race([this.#renewal, delay(2_000, undefined, { ref: false })]);
    await this.#registry.deregister(this.#entry, { timeoutMs: 2_000 }).catch(() => {});
  }

  #explain(error: MicroError): MicroError {
    if (error.code === 503) {
      return new MicroError(
        503,
        error.id,
        `cannot reach the micro server at ${this.#proxy}: ${error.detail}. Start one with: micro server`,
      );
    }
    if (error.code === 401 && this.#standalone) {
      const hint =
        "started by hand, a service uses the credentials that the server keeps on its own machine, and there are none for this address";
      return new MicroError(
        401,
        error.id,
        `the server at ${this.#proxy} refused the registration: ${hint}. Use micro run, or set MICRO_AUTH_ID and MICRO_AUTH_SECRET`,
      );
    }
    return error;
  }
}

function entryOf({ name, version, address, metadata, endpoints }: Registered, { namespace, nodeId }: Environment) {
  return {
    name,
    version,
    metadata: { ...metadata },
    nodes: [
      {
        id: nodeId ?? `${name}-${randomUUID()}`,
        address,
        metadata: { server: "grpc", transport: "grpc", protocol: "grpc", registry: "micro", broker: "micro" },
      },
    ],
    endpoints: endpoints.map(({ method, request, response, description }) => ({
      name: method.name,
      ...(request && { request: mutable(registryValue(request)) }),
      ...(response && { response: mutable(registryValue(response)) }),
      metadata: { ...(method.kind !== "unary" && { stream: "true" }), ...(description && { description }) },
    })),
    options: { ttl: BigInt(ttlSeconds), domain: namespace },
  };
}

type Value = ReturnType<typeof registryValue>;
interface MutableValue {
  name: string;
  type: string;
  values: MutableValue[];
}

function mutable({ name, type, values }: Value): MutableValue {
  return { name, type, values: values.map(mutable) };
}
