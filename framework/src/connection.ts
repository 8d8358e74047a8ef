import { AsyncLocalStorage } from "node:async_hooks";
import { type CallOptions, RpcClient } from "@microts/core/rpc";
import type { Context } from "./endpoint.ts";
import { type Environment, readEnvironment } from "./environment.ts";
import { Identity } from "./identity.ts";

/** The one way from this process to the platform: everything a service imports without set-up stands on it. */
export interface Connection {
  readonly env: Environment;
  readonly rpc: RpcClient;
}

let shared: Connection | undefined;

/** Opened at first use from the process's environment. */
export function connection(): Connection {
  shared ??= connect(readEnvironment(process.env));
  return shared;
}

function connect(env: Environment): Connection {
  const identity = new Identity(env);
  return { env, rpc: new RpcClient({ resolve: () => env.proxy, metadata: () => identity.metadata() }) };
}

/** The call whose handler is running, if any. */
export const currentCall = new AsyncLocalStorage<Context>();

/** What a call made inside a handler takes over from it: its deadline and its cancellation. */
export function inherited(): Pick<CallOptions, "signal" | "deadline"> {
  const context = currentCall.getStore();
  return context === undefined ? {} : { signal: context.signal, deadline: context.deadline };
}

/** The signal of the running call, of the caller's own, or of whichever aborts first. */
export function inheritedSignal(own: AbortSignal | undefined): AbortSignal | undefined {
  const { signal } = inherited();
  return own !== undefined && signal !== undefined ? AbortSignal.any([own, signal]) : (own ?? signal);
}
