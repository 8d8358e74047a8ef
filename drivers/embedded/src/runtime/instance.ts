import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { type Log, MicroError } from "@microts/core";
import { healthyAfterMs, restartDelayMs } from "./backoff.ts";
import type { Clock } from "./clock.ts";
import type { Leftovers } from "./leftovers.ts";
import { type ProcessSpec, ServiceProcess } from "./process.ts";
import type { ServiceLog } from "./service-log.ts";

const id = "runtime.start";

/** What an instance needs of the platform around it. */
export interface InstanceSurroundings {
  readonly clock: Clock;
  readonly log: Log;
  readonly leftovers: Leftovers;
  readonly stopGraceMs: number;
  readonly registerTimeoutMs: number;
  /** Resolves once this node of the service is in the registry and answers. */
  registered(nodeId: string, signal: AbortSignal): Promise<void>;
  /** Takes a node out of routing. */
  drain(nodeId: string): Promise<void>;
}

export interface InstanceSpec {
  readonly name: string;
  /** What to run as the node of this id. */
  process(nodeId: string): ProcessSpec;
}

export type InstanceState =
  | { readonly status: "starting"; readonly error: string }
  | { readonly status: "running"; readonly error: "" }
  | { readonly status: "error"; readonly error: string }
  | { readonly status: "stopped"; readonly error: "" };

/** Keeps one process of a service running: whenever it ends it is started again, later each time (see `restartDelayMs`). */
export class Instance {
  readonly #spec: InstanceSpec;
  readonly #log: ServiceLog;
  readonly #around: InstanceSurroundings;
  readonly #stopping = new AbortController();
  #state: InstanceState = { status: "starting", error: "" };
  #process: ServiceProcess | undefined;
  #keeping: Promise<void> | undefined;
  #failures = 0;
  #restarts = 0;

  constructor(spec: InstanceSpec, log: ServiceLog, around: InstanceSurroundings) {
    this.#spec = spec;
    this.#log = log;
    this.#around = around;
  }

  get state(): InstanceState {
    return this.#state;
  }

  /** How often it has been started again. */
  get restarts(): number {
    return this.#restarts;
  }

  /** Starts it for the first time and keeps it running from then on. Throws 400 when it ends or hasn't registered in time; nothing runs then. */
  async launch(signal: AbortSignal): Promise<void> {
    await this.#start(AbortSignal.any([signal, this.#stopping.signal]));
    this.#keeping = this.#keep();
  }

  /** As `launch`, but a failure is one more to start again after. Resolves when the first start has succeeded or failed. */
  async resume(): Promise<void> {
    const first = this.#start(this.#stopping.signal);
    const recovered = first.catch(async (error: unknown) => {
      if (this.#stopping.signal.aborted) return;
      await this.#pause(MicroError.from(error, id).detail);
      await this.#startAgain();
    });
    this.#keeping = recovered.then(() => this.#keep());
    await first.catch(() => {});
  }

  /** Takes it out of routing, then ends the process and all it started. Resolves when nothing is left. */
  async stop(): Promise<void> {
    this.#stopping.abort(new DOMException("the service is being stopped", "AbortError"));
    if (this.#process !== undefined) await this.#end(this.#process);
    await this.#keeping;
    this.#state = { status: "stopped", error: "" };
  }

  async #keep(): Promise<void> {
    while (this.#process !== undefined && !this.#stopping.signal.aborted) {
      const process = this.#process;
      const since = this.#around.clock.now();
      const ending = await process.ended;
      if (this.#stopping.signal.aborted) return;
      this.#process = undefined;
      if (this.#around.clock.now() - since >= healthyAfterMs) this.#failures = 0;
      await this.#drain(process.nodeId);
      await this.#around.leftovers.forget(process.nodeId);
      await this.#pause(failureText(`the process ${ending}`, process));
      await this.#startAgain();
    }
  }

  /** Tries until it runs or is stopped. */
  async #startAgain(): Promise<void> {
    while (!this.#stopping.signal.aborted) {
      this.#restarts++;
      try {
        return await this.#start(this.#stopping.signal);
      } catch (error) {
        if (this.#stopping.signal.aborted) return;
        await this.#pause(MicroError.from(error, id).detail);
      }
    }
  }

  async #pause(error: string): Promise<void> {
    this.#failures++;
    const ms = restartDelayMs(this.#failures);
    const times = this.#failures === 1 ? "" : ` (${this.#failures} times in a row)`;
    const [reason = error, ...lines] = error.split("\n");
    this.#state = {
      status: "error",
      error: [`${reason}${times}; it is started again ${ms / 1000} s later`, ...lines].join("\n"),
    };
    this.#around.log.warn("service failed", { service: this.#spec.name, reason, restartInMs: ms });
    await this.#say(`${reason}${times}; starting again in ${ms / 1000} s`);
    await this.#around.clock.sleep(ms, this.#stopping.signal).catch(() => {});
  }

  async #start(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const nodeId = `${this.#spec.name}-${randomUUID()}`;
    this.#state = { status: "starting", error: this.#state.error };
    const process = new ServiceProcess(this.#spec.process(nodeId), this.#log);
    this.#process = process;
    try {
      if (process.pid !== undefined) await this.#around.leftovers.note(nodeId, process.pid);
      await this.#untilRegistered(process, signal);
      this.#state = { status: "running", error: "" };
    } catch (error) {
      await this.#end(process);
      this.#process = undefined;
      throw error;
    }
  }

  async #untilRegistered(process: ServiceProcess, signal: AbortSignal): Promise<void> {
    const { registerTimeoutMs } = this.#around;
    const done = new AbortController();
    const waiting = AbortSignal.any([signal, done.signal]);
    try {
      await Promise.race([
        this.#around.registered(process.nodeId, waiting),
        process.ended.then((ending) => {
          throw MicroError.badRequest(id, failureText(`the process ${ending} before it had registered`, process));
        }),
        delay(registerTimeoutMs, undefined, { signal: waiting }).then(() => {
          throw MicroError.badRequest(id, failureText(neverRegistered(registerTimeoutMs), process));
        }),
        aborted(waiting),
      ]);
    } finally {
      done.abort();
    }
  }

  async #end(process: ServiceProcess): Promise<void> {
    await this.#drain(process.nodeId);
    await process.stop(this.#around.stopGraceMs);
    await this.#around.leftovers.forget(process.nodeId);
  }

  async #drain(nodeId: string): Promise<void> {
    try {
      await this.#around.drain(nodeId);
    } catch (error) {
      this.#around.log.warn("a node was not taken out of routing", { node: nodeId, error });
    }
  }

  async #say(message: string): Promise<void> {
    await this.#log.append("runtime", [message]);
  }
}

/** The frames of a stack trace and what Node.js prints below one: the log has them, an answer needs only the error above. */
const traceLine = /^\s+at .*[:)]\S*$|^Node\.js v\d|^\s*$/;

/** The reason in the first line, then what the process has said last. */
function failureText(reason: string, process: ServiceProcess): string {
  const lines = process.recentLines.filter((line) => !traceLine.test(line));
  return lines.length === 0
    ? `${reason}; it printed nothing`
    : [reason, "It printed:", ...lines.map((line) => `  ${line}`)].join("\n");
}

function neverRegistered(timeoutMs: number): string {
  return `it did not register within ${timeoutMs / 1000} s. A service file has: export default service("name", { … }), with service from "@microts/service"`;
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason), { once: true }));
}
