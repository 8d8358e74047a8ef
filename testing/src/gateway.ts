import { generateKeyPairSync } from "node:crypto";
import { Gateway, type GatewayOptions } from "@microts/blocks/api";
import { decide, type Rule } from "@microts/blocks/auth";
import type { Endpoint, Value } from "@microts/blocks/registry";
import { type Account, defaultNamespace, MicroError, signToken, TokenVerifier } from "@microts/core";
import {
  type CallContext,
  Connections,
  findMethod,
  type Listener,
  listen,
  type Method,
  type MethodKind,
  parsePath,
  RpcClient,
  serveMethod,
} from "@microts/core/rpc";

/** A gateway in front of one small service on a real connection: `helloworld`, in every namespace but `empty`. */
export interface ServedGateway extends AsyncDisposable {
  readonly gateway: Gateway;
  readonly address: string;
  readonly backend: Backend;
  /** Tokens of accounts, by name. */
  readonly tokens: Readonly<Record<"admin" | "jane" | "acme", string>>;
  /** Rules of the namespace `micro`; others are open. */
  readonly rules: Rule[];
  readonly accessLines: string[];
  readonly errors: string[];
}

/** What reached the service. */
export interface Backend {
  /** `Handler.Method` of every call, in order. */
  readonly calls: string[];
  /** The bytes of every request, in order. */
  readonly requests: string[];
  /** Calls that were cancelled. */
  cancelled: number;
}

const publicRule: Rule = {
  id: "default",
  scope: "",
  resource: { type: "service", name: "*", endpoint: "*" },
  access: "granted",
  priority: 0,
};

const account = (id: string, issuer: string, scopes: readonly string[]): Account => ({
  id,
  name: id,
  type: "user",
  issuer,
  scopes,
  metadata: {},
});
const field = (name: string, type: string, values: readonly Value[] = []): Value => ({ name, type, values });
const schema = field("EchoRequest", "EchoRequest", [
  field("name", "string"),
  field("age", "int32"),
  field("big", "int64"),
  field("ok", "bool"),
  field("ratio", "float64"),
  field("data", "[]uint8"),
  field("tags", "[]string"),
  field("sizes", "[]int32"),
  field("owner", "Owner", [field("name", "string"), field("age", "int32")]),
  field("labels", "map[string]string"),
  field("friends", "[]Owner", [field("name", "string"), field("age", "int32")]),
]);

/** Starts both on free loopback ports. */
export async function serveGateway(options: Partial<GatewayOptions> = {}): Promise<ServedGateway> {
  const { publicKey, privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const verifier = new TokenVerifier(publicKey);
  const sign = (of: Account) => signToken(of, new Date(Date.now() + 60_000), "key", privateKey);
  const backend: Backend = { calls: [], requests: [], cancelled: 0 };
  const rules = [publicRule];
  const accessLines: string[] = [];
  const errors: string[] = [];
  const methods = helloworld(backend);
  const listener = await serve(methods, verifier);
  const connections = new Connections();
  const rpc = new RpcClient({ resolve: () => listener.address, connections });
  const endpoints = methods.map(endpointOf);
  const log = {
    debug: () => {},
    info: () => {},
    warn: () => {},
    error: (_message: string, fields?: object) => errors.push(JSON.stringify(fields)),
    with: () => log,
  };
  const gateway = new Gateway({
    address: "127.0.0.1:0",
    version: "1.2.3",
    log,
    resolveService: (namespace, service) =>
      namespace !== "empty" && service === "helloworld" ? { endpoints } : undefined,
    serviceNames: (namespace) => (namespace === "empty" ? [] : ["helloworld", "posts", "store"]),
    account: (authorization) => verifier.verify(authorization),
    authorize: (caller, namespace, resource) => {
      if (decide(namespace === defaultNamespace ? rules : [publicRule], caller, namespace, resource).allowed) return;
      const detail = `${resource.name} ${resource.endpoint} is not granted`;
      throw caller === undefined
        ? MicroError.unauthorized("go.micro.api", detail)
        : MicroError.forbidden("go.micro.api", detail);
    },
    call: (_namespace, service, endpoint, request, { metadata, signal, deadline }) =>
      rpc.unary(service, endpoint, request, { format: "json", metadata, signal, deadline }),
    stream: (_namespace, service, endpoint, request, { metadata, signal }) =>
      rpc.serverStream(service, endpoint, request, { format: "json", metadata, signal }),
    accessLog: (line) => accessLines.push(line),
    ...options,
  });
  const dispose = async () => {
    await gateway[Symbol.asyncDispose]();
    await rpc[Symbol.asyncDispose]();
    await connections[Symbol.asyncDispose]();
    await listener.close(0);
  };
  try {
    await gateway.listen();
  } catch (error) {
    await dispose();
    throw error;
  }
  const tokens = {
    admin: await sign(account("admin", "micro", ["admin"])),
    jane: await sign(account("jane", "micro", [])),
    acme: await sign(account("bob", "acme", ["admin"])),
  };
  return {
    gateway,
    address: gateway.address,
    backend,
    tokens,
    rules,
    accessLines,
    errors,
    [Symbol.asyncDispose]: dispose,
  };
}

function serve(methods: readonly Method[], verifier: TokenVerifier): Promise<Listener> {
  const byName = new Map(methods.map((method) => [method.name, method]));
  return listen(
    (call) => {
      const { service, endpoint } = parsePath(call.path);
      const caller = verifier.verify(call.metadata["authorization"]);
      const namespace = call.metadata["micro-namespace"] ?? "";
      return serveMethod(call, findMethod(byName, service, endpoint), { service, account: caller, namespace });
    },
    { address: "127.0.0.1:0" },
  );
}

function endpointOf({ name, kind }: Method): Endpoint {
  const metadata: Record<string, string> = kind === "server" ? { stream: "true" } : {};
  return { name, request: name === "Helloworld.Typed" ? schema : undefined, response: undefined, metadata };
}

function helloworld(backend: Backend): Method[] {
  const cancelled = (signal: AbortSignal) =>
    new Promise<never>((_resolve, reject) => {
      signal.addEventListener("abort", () => {
        backend.cancelled++;
        reject(signal.reason);
      });
    });
  const method = (name: string, kind: MethodKind, handle: (text: string, context: CallContext) => unknown): Method => ({
    name: `Helloworld.${name}`,
    kind,
    decode: (bytes) => Buffer.from(bytes).toString(),
    encode: (value) => Buffer.from(String(value)),
    handle: (request, context) => {
      backend.calls.push(context.endpoint);
      backend.requests.push(String(request));
      return handle(String(request), context);
    },
  });
  return [
    method("Call", "unary", async (text) => JSON.stringify({ msg: `Hello ${JSON.parse(text).name ?? ""}` })),
    method("Echo", "unary", async (text) => text),
    method("Typed", "unary", async (text) => text),
    method("Void", "unary", async () => ""),
    method("Admin", "unary", async () => '{"secret":"for admins"}'),
    method("Who", "unary", async (_text, { account: caller, namespace, metadata }) =>
      JSON.stringify({ account: caller?.id ?? null, issuer: caller?.issuer ?? null, namespace, metadata }),
    ),
    method("Fail", "unary", async (text) => {
      const { code } = JSON.parse(text);
      throw new MicroError(code, "helloworld", `failed with ${code}`);
    }),
    method("Crash", "unary", async () => {
      throw new TypeError("undefined is not a function");
    }),
    method("Slow", "unary", (_text, { signal }) => cancelled(signal)),
    method("Wait", "unary", async (text) => {
      await new Promise((resolve) => setTimeout(resolve, Number(JSON.parse(text).ms)));
      return '{"waited":true}';
    }),
    method("Count", "server", async function* (text: string) {
      for (let n = 1; n <= (JSON.parse(text).to ?? 3); n++) yield `{\n  "n": ${n}\n}`;
    }),
    method("Tick", "server", async function* (_text: string, { signal }: CallContext) {
      yield '{"tick":1}';
      await cancelled(signal);
    }),
    method("Quiet", "server", async function* (_text: string, { signal }: CallContext) {
      await cancelled(signal);
      yield "";
    }),
    method("Broken", "server", async function* (text: string) {
      for (let n = 1; n <= JSON.parse(text).after; n++) yield `{"n":${n}}`;
      throw MicroError.conflict("helloworld", "the stream broke");
    }),
  ];
}
