import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Auth, authMethods } from "@microts/blocks/auth";
import { Broker, brokerMethods } from "@microts/blocks/broker";
import { Config, configMethods } from "@microts/blocks/config";
import { Events, eventsMethods } from "@microts/blocks/events";
import { type Endpoint, Registry, registryMethods, type Value } from "@microts/blocks/registry";
import { Runtime, runtimeMethods } from "@microts/blocks/runtime";
import { Store, storeMethods } from "@microts/blocks/store";
import { authorizationKey, MicroError, namespaceKey, writeLocalCredentials } from "@microts/core";
import { findMethod, listen, type Method, type MethodKind, parsePath, serveMethod } from "@microts/core/rpc";
import {
  EmbeddedAuth,
  EmbeddedBroker,
  EmbeddedConfig,
  EmbeddedEvents,
  EmbeddedRegistry,
  generateSigningKeys,
  givenRootKeys,
  openEmbeddedStore,
} from "@microts/driver-embedded";
import { openRuntimePlatform } from "./runtime-platform.ts";

/** The core services that the command line calls, over real RPC on one loopback port, and the service `helloworld` beside them. */
export interface CoreServer extends AsyncDisposable {
  /** What MICRO_PROXY names. */
  readonly address: string;
  /** A home folder, with the credentials of the account `admin` of `micro`, whose password is `secret-password`. */
  readonly home: string;
  readonly registry: Registry;
  /** The JSON text of each request that reached `helloworld`. */
  readonly requests: readonly string[];
}

const field = (name: string, type: string, values: readonly Value[] = []): Value => ({ name, type, values });
const person = [field("name", "string"), field("age", "int32")];
const helloworldSchema = field("CallRequest", "CallRequest", [
  field("name", "string"),
  field("shout", "bool"),
  field("count", "int32"),
  field("big", "int64"),
  field("ratio", "float64"),
  field("data", "[]uint8"),
  field("tags", "[]string"),
  field("sizes", "[]int32"),
  field("userEmail", "string"),
  field("options", "Options", [field("ttl", "int64"), field("owner", "Owner", person)]),
  field("friends", "[]Person"),
  field("labels", "map[string]string"),
  field("color", "Color"),
]);

/** Starts them on embedded drivers with data that goes with them. */
export async function serveCore(): Promise<CoreServer> {
  const home = await mkdtemp(join(tmpdir(), "micro-home-"));
  const keys = await generateSigningKeys();
  const store = await openEmbeddedStore();
  const auth = new Auth(new EmbeddedAuth({ store, keys, hashCost: { memoryKiB: 64, passes: 1, lanes: 1 } }));
  const registry = new Registry(new EmbeddedRegistry());
  const platform = await openRuntimePlatform();
  const config = new Config(new EmbeddedConfig({ store, rootKeys: givenRootKeys([Buffer.alloc(32, 7)]) }));
  const eventsDriver = new EmbeddedEvents({ database: store.database, sweepMs: 100 });
  const requests: string[] = [];
  const hello = helloworld(requests);
  const services: Readonly<Record<string, readonly Method[]>> = {
    auth: authMethods(auth),
    broker: brokerMethods(new Broker(new EmbeddedBroker())),
    config: configMethods(config),
    events: eventsMethods(new Events(eventsDriver)),
    registry: registryMethods(registry),
    runtime: runtimeMethods(new Runtime(platform.runtime)),
    store: storeMethods(new Store(store)),
    helloworld: hello,
  };
  const listener = await listen(
    async (call) => {
      const { service, endpoint } = parsePath(call.path);
      const account = await auth.verify(call.metadata[authorizationKey], call.signal);
      const methods = services[service];
      if (methods === undefined) throw MicroError.notFound("go.micro.proxy", `service ${service}: route not found`);
      const byName = new Map(methods.map((method) => [method.name, method]));
      const namespace = call.metadata[namespaceKey] ?? "micro";
      await serveMethod(call, findMethod(byName, service, endpoint), { service, account, namespace });
    },
    { address: "127.0.0.1:0" },
  );
  await auth.createAccount({ id: "admin", scopes: ["admin"], secret: "secret-password" });
  const { accessToken: token, expiry } = await auth.signIn("admin", "secret-password");
  await writeLocalCredentials(home, { address: listener.address, namespace: "micro", account: "admin", token, expiry });
  const entry = { name: "helloworld", version: "latest", metadata: {}, endpoints: hello.map(endpointOf) };
  await registry.register({ ...entry, nodes: [{ id: "helloworld-1", address: listener.address, metadata: {} }] });
  return {
    address: listener.address,
    home,
    registry,
    requests,
    async [Symbol.asyncDispose]() {
      await listener.close(0);
      await platform[Symbol.asyncDispose]();
      await registry[Symbol.asyncDispose]();
      await eventsDriver[Symbol.asyncDispose]();
      await store[Symbol.asyncDispose]();
      await rm(home, { recursive: true, force: true });
    },
  };
}

function endpointOf({ name, kind }: Method): Endpoint {
  const requests: Readonly<Record<string, Value>> = {
    "Helloworld.Call": helloworldSchema,
    "Helloworld.Count": field("CountRequest", "CountRequest", [field("to", "int32")]),
    "Helloworld.Ping": field("PingRequest", "PingRequest"),
  };
  const metadata: Record<string, string> = kind === "server" ? { stream: "true" } : {};
  return { name, request: requests[name], response: field("Reply", "Reply", [field("msg", "string")]), metadata };
}

function helloworld(requests: string[]): Method[] {
  const method = (
    name: string,
    kind: MethodKind,
    handle: (request: Readonly<Record<string, unknown>>) => unknown,
  ): Method => ({
    name: `Helloworld.${name}`,
    kind,
    decode: (bytes) => Buffer.from(bytes).toString(),
    encode: (value) => Buffer.from(String(value)),
    handle: (request) => {
      requests.push(String(request));
      return handle(JSON.parse(String(request)) as Readonly<Record<string, unknown>>);
    },
  });
  return [
    method("Call", "unary", async ({ name }) => JSON.stringify({ msg: `Hello ${name ?? ""}` })),
    method("Ping", "unary", async () => '{"big":12345678901234567890}'),
    method("Fail", "unary", async () => {
      throw MicroError.conflict("helloworld.Helloworld.Fail", "it is there already");
    }),
    method("Count", "server", async function* ({ to }) {
      for (let n = 1; n <= Number(to ?? 3); n++) yield `{"n":${n}}`;
    }),
  ];
}
