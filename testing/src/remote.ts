import { type Account, namespaceKey } from "@microts/core";
import { Connections, findMethod, listen, type Method, parsePath, RpcClient, serveMethod } from "@microts/core/rpc";

/** A block served on a loopback port, and a client that reaches it. */
export interface ServedMethods extends AsyncDisposable {
  readonly rpc: RpcClient;
  readonly address: string;
}

export interface ServedOptions {
  /** Who calls; undefined for nobody. */
  readonly account: Account | undefined;
  /** Of calls that don't name one in their metadata. Default `micro`. */
  readonly namespace?: string;
}

/** An admin of `micro`, who may do everything. */
export const testAdmin: Account = {
  id: "admin",
  name: "admin",
  type: "user",
  issuer: "micro",
  scopes: ["admin"],
  metadata: {},
};

/** Serves the methods of a service over real RPC; every call comes from `account`. */
export async function serveMethods(
  service: string,
  methods: readonly Method[],
  { account, namespace = "micro" }: ServedOptions,
): Promise<ServedMethods> {
  const byName = new Map(methods.map((method) => [method.name, method]));
  const listener = await listen(
    (call) => {
      const { endpoint } = parsePath(call.path);
      return serveMethod(call, findMethod(byName, service, endpoint), {
        service,
        account,
        namespace: call.metadata[namespaceKey] ?? namespace,
      });
    },
    { address: "127.0.0.1:0" },
  );
  const connections = new Connections();
  const rpc = new RpcClient({ resolve: () => listener.address, connections });
  return {
    rpc,
    address: listener.address,
    async [Symbol.asyncDispose]() {
      await rpc[Symbol.asyncDispose]();
      await connections[Symbol.asyncDispose]();
      await listener.close(0);
    },
  };
}
