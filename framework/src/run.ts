import { createPublicKey } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { type Account, MicroError, namespaceKey, TokenVerifier, tokenOf } from "@microts/core";
import {
  findMethod,
  type Listener,
  listen,
  type Method,
  parsePath,
  serveMethod,
  serviceClient,
} from "@microts/core/rpc";
import { Health } from "@microts/core/rpc/services";
import { Auth } from "@microts/proto/auth";
import { connection } from "./connection.ts";
import { debugMethods } from "./debug.ts";
import type { Endpoint } from "./endpoint.ts";
import { endpointName } from "./endpoint-name.ts";
import { bindEndpoint } from "./methods.ts";
import { processLog } from "./process-log.ts";
import { Registration } from "./registration.ts";
import { serviceStandards } from "./standards.ts";
import { setServiceName } from "./store.ts";

/** What `run` needs of a service. */
export interface Runnable {
  readonly name: string;
  readonly endpoints: Readonly<Record<string, Endpoint>>;
  readonly options: {
    readonly version?: string;
    readonly description?: string;
    readonly metadata?: Readonly<Record<string, string>>;
  };
}

export interface RunningService extends AsyncDisposable {
  readonly name: string;
  /** `host:port` where it answers. */
  readonly address: string;
  /** Takes the service out of the registry, lets running calls finish, and stops listening. */
  stop(): Promise<void>;
}

/** How long running calls may take to finish when the service stops; well within the 15 s that the runtime waits before it kills. */
const graceMs = 12_000;
/** And streams, which may have no end of their own. */
const streamGraceMs = 1_000;

/** Listens, registers, and stops on SIGTERM and SIGINT. Rejects when it can't listen or register. */
export async function run(service: Runnable): Promise<RunningService> {
  const { env, rpc } = connection();
  const name = env.name ?? service.name;
  setServiceName(name);
  const log = processLog();
  const bound = Object.entries(service.endpoints).map(([key, endpoint]) =>
    bindEndpoint(name, endpointName(service.name, key), endpoint, log),
  );
  const methods = new Map<string, Method>();
  for (const { method } of bound) methods.set(method.name, method);
  for (const method of debugMethods()) methods.set(method.name, method);
  const accountOf = tokenReader();
  const calls = new RunningCalls();
  const health = new Health();
  const standard = serviceStandards(name, bound, health);
  const listener = await listen(
    async (call) => {
      const { service: asked, endpoint } = parsePath(call.path);
      const method = findMethod(standard.get(asked) ?? methods, name, endpoint);
      const account = await accountOf(call.metadata["authorization"]);
      const namespace = call.metadata[namespaceKey] ?? account?.issuer ?? env.namespace;
      const serving = serveMethod(call, method, { service: name, account, namespace });
      await (method.kind === "unary" ? calls.track(serving) : serving);
    },
    // Pages come through the proxy: a browser that a foreign name led here (DNS rebinding) would get past its rules.
    { address: env.address, web: false, log },
  );
  const registration = new Registration(rpc, env, {
    name,
    version: env.version ?? service.options.version ?? "latest",
    address: listener.address,
    metadata: {
      ...service.options.metadata,
      ...(service.options.description && { description: service.options.description }),
    },
    endpoints: bound,
  });
  try {
    await registration.start(log);
  } catch (error) {
    await listener.close(0);
    throw error;
  }
  log.info("serving", { service: name, address: listener.address });
  return stopOnSignal(new Running(name, listener, registration, calls, health));
}

class Running implements RunningService {
  readonly name: string;
  readonly address: string;
  readonly #listener: Listener;
  readonly #registration: Registration;
  readonly #calls: RunningCalls;
  readonly #health: Health;
  #stopped: Promise<void> | undefined;

  constructor(name: string, listener: Listener, registration: Registration, calls: RunningCalls, health: Health) {
    this.name = name;
    this.address = listener.address;
    this.#listener = listener;
    this.#registration = registration;
    this.#calls = calls;
    this.#health = health;
  }

  stop(): Promise<void> {
    this.#stopped ??= (async () => {
      this.#health.shutDown();
      await this.#registration.stop();
      await this.#calls.finished(graceMs);
      await this.#listener.close(streamGraceMs);
    })();
    return this.#stopped;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }
}

/** The unary calls that are being answered. */
class RunningCalls {
  readonly #calls = new Set<Promise<void>>();

  async track(call: Promise<void>): Promise<void> {
    this.#calls.add(call);
    try {
      await call;
    } finally {
      this.#calls.delete(call);
    }
  }

  /** Resolves when none is left, or after so many milliseconds. */
  async finished(withinMs: number): Promise<void> {
    const timeout = new AbortController();
    const late = delay(withinMs, undefined, { signal: timeout.signal }).catch(() => {});
    await Promise.race([Promise.allSettled([...this.#calls]), late]);
    timeout.abort();
  }
}

function stopOnSignal(running: Running): Running {
  const onSignal = () => void running.stop().finally(() => process.exit(0));
  process.once("SIGTERM", onSignal);
  process.once("SIGINT", onSignal);
  return running;
}

/** Verifies tokens with the platform's public key, or, without one, by asking the platform, a minute's worth of answers remembered. */
function tokenReader(): (authorization: string | undefined) => Account | undefined | Promise<Account | undefined> {
  const { env, rpc } = connection();
  if (env.publicKey !== undefined) {
    const verifier = new TokenVerifier(createPublicKey(env.publicKey));
    return (authorization) => verifier.verify(authorization);
  }
  const auth = serviceClient(Auth, rpc, "auth");
  const known = new Map<string, { account: Account; until: number }>();
  return async (authorization) => {
    if (!authorization) return undefined;
    const token = tokenOf(authorization);
    const hit = known.get(token);
    if (hit !== undefined && hit.until > Date.now()) return hit.account;
    const { account } = await auth.inspect({ token });
    if (account === undefined) throw MicroError.unauthorized("auth", "invalid token provided");
    if (known.size >= 1000) known.clear();
    known.set(token, { account, until: Date.now() + 60_000 });
    return account;
  };
}
