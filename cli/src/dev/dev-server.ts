import type { Platform } from "@microts/platform";
import { type Context, openContext } from "../context.ts";
import { failureOf } from "../failure.ts";
import { RegistryView } from "../registry.ts";
import { startServer } from "../start-server.ts";

/** A server to develop against: the one that runs, or one started here, which stops when this is disposed. */
export interface DevServer extends AsyncDisposable {
  /** Acts on that server. */
  readonly context: Context;
  /** `host:port` of the HTTP gateway and the dashboard. Undefined for a server on another machine. */
  readonly api: string | undefined;
  readonly dashboard: string | undefined;
  /** Set when the server was started here. */
  readonly platform: Platform | undefined;
}

/** Uses the server of the environment; starts one when nothing listens there and the address is this machine's. */
export async function findOrStartServer(context: Context): Promise<DevServer> {
  const { session, env } = context;
  const address = await session.address();
  const isLocal = /^(127\.|localhost:|\[::1\]:)/.test(address);
  const found = {
    context,
    api: isLocal ? env["MICRO_API_ADDRESS"] || "127.0.0.1:8080" : undefined,
    dashboard: isLocal ? env["MICRO_WEB_ADDRESS"] || "127.0.0.1:8082" : undefined,
    platform: undefined,
  };
  if (!isLocal || (await answers(context))) return { ...found, [Symbol.asyncDispose]: async () => {} };
  const platform = await startServer({ proxy_address: address }, context, "warn");
  const { api, web, proxy } = platform.addresses;
  const choices = {
    env: await session.environmentName(),
    namespace: await session.namespace(),
    config: session.config.path,
    proxy_address: proxy,
    output: context.out.format,
  };
  const own = openContext(choices, context);
  const close = async () => {
    await own[Symbol.asyncDispose]();
    await platform[Symbol.asyncDispose]();
  };
  return { context: own, api, dashboard: web, platform, [Symbol.asyncDispose]: close };
}

async function answers({ session, signal }: Context): Promise<boolean> {
  try {
    await new RegistryView(session).names(await session.namespace(), signal);
    return true;
  } catch (error) {
    if (failureOf(error, false).exitCode === 4) return false;
    throw error;
  }
}
