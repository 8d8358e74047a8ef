import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { apiMethods, BlockList } from "@microts/blocks/api";
import { Auth, authMethods } from "@microts/blocks/auth";
import { Broker, brokerMethods } from "@microts/blocks/broker";
import { Config, configMethods } from "@microts/blocks/config";
import { Events, eventsMethods } from "@microts/blocks/events";
import { Network, networkMethods } from "@microts/blocks/network";
import { proxyHandler } from "@microts/blocks/proxy";
import { Registry, registryMethods } from "@microts/blocks/registry";
import { Runtime, runtimeMethods } from "@microts/blocks/runtime";
import { Blobs, blobMethods, Store, storeMethods } from "@microts/blocks/store";
import { defaultNamespace, type Log, silent } from "@microts/core";
import {
  type CallHandler,
  Connections,
  type Listener,
  type ListenOptions,
  listen,
  parseAddress,
  RpcClient,
} from "@microts/core/rpc";
import { Health } from "@microts/core/rpc/services";
import { EmbeddedNetwork, EmbeddedRuntime } from "@microts/driver-embedded";
import { debugMethods } from "@microts/service/debug";
import { CoreServices } from "./core-services.ts";
import { DashboardServer } from "./dashboard/dashboard-server.ts";
import { PlatformBackend } from "./dashboard-backend.ts";
import { graceMs, openGateway } from "./gateway.ts";
import { LocalAdmin } from "./local-admin.ts";
import { explainBind } from "./port-owner.ts";
import { type Drivers, openEmbedded } from "./profiles.ts";
import { refusals } from "./refusals.ts";
import { RegistryRouter } from "./router.ts";
import { runtimeOptions } from "./runtime-options.ts";
import type { Settings } from "./settings.ts";
import { platformStandardServices } from "./standard-services.ts";
import { readVersion } from "./version.ts";

export interface Platform extends AsyncDisposable {
  /** `host:port` of each entry, as bound. */
  readonly addresses: { readonly api: string; readonly proxy: string; readonly web: string; readonly network: string };
  /** The admin's password, only when this start generated it. */
  readonly adminPassword: string | undefined;
  /** Where a generated password was written, readable by this user alone. */
  readonly adminPasswordFile: string;
}

/** Starts everything `micro server` is. Rejects, with nothing left running, when a part can't start; the error says which and why. */
export async function startPlatform(settings: Settings, log: Log = silent): Promise<Platform> {
  await using stack = new AsyncDisposableStack();
  const version = await readVersion();
  const drivers = await openEmbedded(settings, log, stack);
  const auth = new Auth(drivers.auth);
  const { adminPassword, adminPasswordFile } = await bootstrap(auth, settings);
  const registry = stack.use(new Registry(drivers.registry, { log }));
  const view = await registry.view();
  const connections = stack.use(new Connections());
  const ports = await openPorts(settings, log, stack);
  const runtimeDriver = stack.use(
    new EmbeddedRuntime(
      runtimeOptions({ settings, drivers, auth, registry, view, log, proxyAddress: () => ports.network.address }),
    ),
  );
  const blockList = new BlockList(drivers.blockList);
  await blockList.refresh();
  const stopping = new AbortController();
  const { address } = ports.network;
  const methods = coreMethods(drivers, auth, registry, runtimeDriver, blockList, address, log, stopping.signal);
  const core = new CoreServices(methods);
  await core.register(registry, ports.network.address, version);
  const health = new Health();
  const router = new RegistryRouter(view);
  ports.answer(
    proxyHandler({
      router,
      local: new Map([...core.tables, ...platformStandardServices(core, health)]),
      connections,
      account: (authorization) => auth.verify(authorization),
      authorize: (account, namespace, service, endpoint) =>
        auth.authorize(account, namespace, { type: "service", name: service, endpoint }),
      refused: refusals(log),
    }),
  );
  const rpc = new RpcClient({ resolve: () => ports.network.address, connections });
  const dashboard = await openDashboard(settings, new PlatformBackend(auth, registry, view, rpc), log, stack);
  const blobs = new Blobs(drivers.blobs);
  const gateway = await openGateway(settings, { auth, view, router, rpc, blockList, blobs, log, version }, stack);
  const local = stack.use(new LocalAdmin(auth, settings.home, ports.proxy.address, log));
  await local.start();
  await runtimeDriver.start();
  // Before anything else: what has no end of its own would hold up the ports.
  stack.defer(() => stopping.abort());
  log.info("micro server is ready", {
    api: gateway.address,
    proxy: ports.proxy.address,
    network: ports.network.address,
    dashboard,
  });
  const running = stack.move();
  return {
    addresses: { api: gateway.address, proxy: ports.proxy.address, web: dashboard, network: ports.network.address },
    adminPassword,
    adminPasswordFile,
    [Symbol.asyncDispose]: () =>
      heldOpen(async () => {
        log.info("micro server is stopping");
        health.shutDown();
        await running.disposeAsync();
        log.info("micro server has stopped");
      }),
  };
}

/** Keeps the process alive until the work is done, whatever of it waits on something that wouldn't. */
async function heldOpen(work: () => Promise<void>): Promise<void> {
  const alive = setInterval(() => {}, 60_000);
  try {
    await work();
  } finally {
    clearInterval(alive);
  }
}

async function bootstrap(
  auth: Auth,
  settings: Settings,
): Promise<Pick<Platform, "adminPassword" | "adminPasswordFile">> {
  const adminPasswordFile = join(settings.dataDir, "admin-password");
  const adminPassword = await auth.bootstrapAdmin(settings.adminPassword);
  if (adminPassword !== undefined) await writeFile(adminPasswordFile, `${adminPassword}\n`, { mode: 0o600 });
  return { adminPassword, adminPasswordFile };
}

interface Ports {
  readonly proxy: Listener;
  readonly network: Listener;
  /** Sets who answers; calls that come before wait for it. */
  answer(handler: CallHandler): void;
}

/** Binds both gRPC ports first: everything else needs to know the real addresses. Browsers have the proxy's alone. */
async function openPorts(settings: Settings, log: Log, stack: AsyncDisposableStack): Promise<Ports> {
  const ready = Promise.withResolvers<CallHandler>();
  let answering: CallHandler | undefined;
  const handler: CallHandler = (call) => answering?.(call) ?? ready.promise.then((late) => late(call));
  const open = async (address: string, what: string, setting: string, web: NonNullable<ListenOptions["web"]>) => {
    try {
      const listener = await listen(handler, { address, web, log: log.with({ listener: what }) });
      stack.defer(() => listener.close(graceMs));
      return listener;
    } catch (error) {
      throw await explainBind(error, address, what, setting);
    }
  };
  const network = await open(settings.networkAddress, "network", "--network_address or MICRO_NETWORK_ADDRESS", false);
  const proxy = await open(settings.proxyAddress, "gRPC proxy", "--proxy_address or MICRO_PROXY_ADDRESS", {
    origins: settings.proxyCorsOrigins,
  });
  const answer = (given: CallHandler) => {
    answering = given;
    ready.resolve(given);
  };
  return { network, proxy, answer };
}

function coreMethods(
  drivers: Drivers,
  auth: Auth,
  registry: Registry,
  runtime: EmbeddedRuntime,
  blockList: BlockList,
  address: string,
  log: Log,
  stopping: AbortSignal,
) {
  const network = new Network(
    new EmbeddedNetwork(drivers.registry, {
      id: `micro-${process.pid}`,
      address,
      network: defaultNamespace,
      metadata: {},
    }),
  );
  const debug = debugMethods();
  return {
    api: [...apiMethods(blockList), ...debug],
    auth: [...authMethods(auth), ...debug],
    broker: [...brokerMethods(new Broker(drivers.broker)), ...debug],
    config: [...configMethods(new Config(drivers.config), log), ...debug],
    events: [...eventsMethods(new Events(drivers.events), stopping, log), ...debug],
    network: [...networkMethods(network), ...debug],
    proxy: [...debug],
    registry: [...registryMethods(registry), ...debug],
    runtime: [...runtimeMethods(new Runtime(runtime)), ...debug],
    store: [...storeMethods(new Store(drivers.store)), ...blobMethods(new Blobs(drivers.blobs)), ...debug],
  };
}

async function openDashboard(
  settings: Settings,
  backend: PlatformBackend,
  log: Log,
  stack: AsyncDisposableStack,
): Promise<string> {
  const { host, port } = parseAddress(settings.webAddress);
  try {
    const server = stack.use(await DashboardServer.listen({ backend, host, port, log }));
    return settings.webAddress.replace(/:\d+$/, `:${server.port}`);
  } catch (error) {
    throw await explainBind(error, settings.webAddress, "dashboard", "--web_address or MICRO_WEB_ADDRESS");
  }
}
