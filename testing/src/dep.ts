import type { DescMessage, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import type { Account } from "@microts/core";
import { decodeMessage, encodeMessage } from "@microts/core/codec";
import {
  Connections,
  findMethod,
  forward,
  type Handlers,
  type Listener,
  type ListenOptions,
  listen,
  methodsOf,
  parsePath,
  serveMethod,
} from "@microts/core/rpc";
import { Source } from "@microts/proto/runtime";
import { Dep } from "../../proto/gen/test/dep/dep_pb.ts";

/** Handlers of one service with an rpc of every kind: `Dep.Call`, `Dep.Stream`, `Dep.PingPong` and, many requests to one reply, `Source.Upload`. */
export type DepHandlers = Handlers<(typeof Dep)["method"]> & Handlers<(typeof Source)["method"]>;

/** Says hello, counts, adds one, and joins. */
export const depHandlers: DepHandlers = {
  call: async ({ name }, { metadata }) => ({ msg: `Hello ${name}${metadata["x-mark"] ?? ""}` }),
  stream: async function* ({ count }) {
    for (let n = 1n; n <= count; n++) yield { count: n };
  },
  pingPong: async function* (pings) {
    for await (const { stroke } of pings) yield { stroke: stroke + 1n };
  },
  upload: async (requests) => {
    const all = await Array.fromAsync(requests, ({ data }) => Buffer.from(data));
    return { id: Buffer.concat(all).toString() };
  },
};

export interface ServedDep extends AsyncDisposable {
  readonly server: Listener;
  /** Passes everything on to the server. */
  readonly proxy: Listener;
}

/** The service on a loopback port, and a proxy in front of it. */
export async function serveDep(
  over: Partial<DepHandlers> = {},
  account?: Account,
  options: Partial<ListenOptions> = {},
): Promise<ServedDep> {
  const handlers = { ...depHandlers, ...over };
  const both = [...methodsOf(Dep, handlers), ...methodsOf(Source, handlers)];
  const methods = new Map(both.map((method) => [method.name, method]));
  const server = await listen(
    async (call) => {
      const { service, endpoint } = parsePath(call.path);
      const method = findMethod(methods, service, endpoint);
      await serveMethod(call, method, { service, account, namespace: "micro" });
    },
    { address: "127.0.0.1:0", ...options },
  );
  const proxy = await serveProxy(server.address);
  return {
    server,
    proxy,
    async [Symbol.asyncDispose]() {
      await server.close(0);
      await proxy.close(0);
    },
  };
}

/** Our proxy's way of passing calls on, in front of any gRPC server. */
export async function serveProxy(address: string): Promise<Listener> {
  const connections = new Connections();
  const proxy = await listen((call) => forward(call, connections, address, call.metadata), { address: "127.0.0.1:0" });
  const close = async (graceMs: number) => {
    await proxy.close(graceMs);
    await connections[Symbol.asyncDispose]();
  };
  return {
    address: proxy.address,
    port: proxy.port,
    get load() {
      return proxy.load;
    },
    close,
    [Symbol.asyncDispose]: () => close(0),
  };
}

export const depPaths = {
  call: "/dep.Dep/Call",
  stream: "/dep.Dep/Stream",
  ping: "/dep.Dep/PingPong",
  upload: "/dep.Source/Upload",
} as const;

const { call, stream, pingPong } = Dep.method;
const { upload } = Source.method;

/** The messages' protobuf form, as functions that grpc-js takes. */
export const depMessages = {
  encode: {
    call: writer(call.input),
    stream: writer(stream.input),
    ping: writer(pingPong.input),
    upload: writer(upload.input),
  },
  decode: {
    call: reader(call.output),
    stream: reader(stream.output),
    ping: reader(pingPong.output),
    upload: reader(upload.output),
  },
} as const;

function writer<T extends DescMessage>(schema: T): (message: MessageInitShape<T>) => Buffer {
  return (message) => Buffer.from(encodeMessage(schema, message, "proto"));
}

function reader<T extends DescMessage>(schema: T): (bytes: Buffer) => MessageShape<T> {
  return (bytes) => decodeMessage(schema, bytes, "proto");
}
