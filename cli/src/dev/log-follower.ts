import { MicroError } from "@microts/core";
import type { Context } from "../context.ts";
import { runtimeClient } from "../deploy.ts";

/** Prints a service's log lines as they are written, each behind the service's name. */
export class LogFollower {
  readonly #name: string;
  readonly #version: string;
  readonly #context: Context;
  #following: Promise<void> | undefined;

  constructor(name: string, version: string, context: Context) {
    this.#name = name;
    this.#version = version;
    this.#context = context;
  }

  /** Begins with lines from `since` on. Does nothing while it follows already. */
  follow(since: Date): void {
    this.#following ??= this.#print(since).finally(() => {
      this.#following = undefined;
    });
  }

  async #print(since: Date): Promise<void> {
    const { session, signal, out } = this.#context;
    const runtime = await runtimeClient(this.#context);
    const seconds = BigInt(Math.floor(since.getTime() / 1000));
    const options = { namespace: await session.namespace() };
    const request = { service: this.#name, version: this.#version, stream: true, count: 0n, since: seconds, options };
    try {
      for await (const { message } of runtime.logs(request, { signal }))
        await out.write(`${this.#name} | ${message}\n`);
    } catch (error) {
      if (!signal.aborted) out.warn(`the logs of ${this.#name} have ended: ${MicroError.from(error, "micro").detail}`);
    }
  }
}
