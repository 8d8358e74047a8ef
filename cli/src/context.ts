import type { Readable, Writable } from "node:stream";
import type { Env, Values } from "./flags.ts";
import type { globalFlags } from "./global-flags.ts";
import { Output } from "./output.ts";
import { Session } from "./session.ts";

/** The process around a command. */
export interface Surroundings {
  readonly stdin: Readable & { readonly isTTY?: boolean };
  readonly stdout: Writable;
  readonly stderr: Writable;
  readonly env: Env;
  /** Relative paths begin here. */
  readonly folder: string;
  /** Aborts at the first Ctrl-C or when the process is asked to end. */
  readonly signal: AbortSignal;
}

/** What a command has at hand. */
export interface Context extends Surroundings {
  readonly out: Output;
  readonly session: Session;
}

/** Opens what a command acts with, as the global flags say. */
export function openContext(globals: Values<typeof globalFlags>, around: Surroundings): Context & AsyncDisposable {
  const out = new Output(globals.output === "json" ? "json" : "text", around.stdout, around.stderr);
  const choices = {
    config: globals.config,
    environment: globals.env,
    namespace: globals.namespace,
    address: globals.proxy_address,
  };
  const session = new Session(around.env, choices, (text) => out.warn(text));
  const { stdout, stderr, env, folder, signal } = around;
  return {
    get stdin() {
      return around.stdin;
    },
    ...{ stdout, stderr, env, folder, signal, out, session },
    [Symbol.asyncDispose]: () => session[Symbol.asyncDispose](),
  };
}
