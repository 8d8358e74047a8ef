/**
 * Ours, with the work of a real call. Client: token, namespace, two more metadata entries of which one is unique, a deadline. Server: path,
 * token, metadata, deadline, the member check of the namespace, then the handler.
 */
import { generateKeyPairSync } from "node:crypto";
import { readFile } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { type Account, requireMember, signToken, TokenVerifier } from "@microts/core";
import { Connections, findMethod, listen, type Method, parsePath, RpcClient, serveMethod } from "@microts/core/rpc";
import { announce } from "../announce.ts";
import {
  checkStreamed,
  countReply,
  downEndpoint,
  echoEndpoint,
  echoService,
  streamMessage,
  tickEndpoint,
  tickMessage,
  upEndpoint,
} from "./echo.ts";

export const microRpcFile = import.meta.filename;

/** The metadata of one call, as a service inside a namespace sends it. */
export function microMetadata(authorization: string): Record<string, string> {
  return {
    authorization,
    "micro-namespace": "micro",
    "micro-from-service": "bench",
    "micro-trace-id": crypto.randomUUID(),
  };
}

/** A client whose unary calls carry all of it; the default deadline of 10 s is on every call. */
export function connectMicroRpc(address: string, authorization: string, ca?: string): RpcClient & AsyncDisposable {
  const connections = new Connections(ca === undefined ? {} : { tls: { ca } });
  const at = ca === undefined ? address : `https://${address}`;
  const metadata = () => microMetadata(authorization);
  const client = new RpcClient({ connections, resolve: () => at, metadata });
  return Object.assign(client, { [Symbol.asyncDispose]: () => connections[Symbol.asyncDispose]() });
}

const echo: Method = {
  name: echoEndpoint,
  kind: "unary",
  decode: (bytes) => bytes,
  encode: (value) => value as Uint8Array,
  handle: async (request, { account, namespace }) => {
    requireMember(account, namespace, `${echoService}.${echoEndpoint}`);
    return request;
  },
};

const down: Method = {
  ...echo,
  name: downEndpoint,
  kind: "server",
  handle: async function* (_, { signal }) {
    while (!signal.aborted) yield streamMessage;
  },
};

const up: Method = {
  ...echo,
  name: upEndpoint,
  kind: "client",
  handle: async (requests) => {
    let count = 0;
    for await (const message of requests as AsyncIterable<Uint8Array>) {
      checkStreamed(message);
      count++;
    }
    return countReply(count);
  },
};

/** Sends 100 bytes every second until the caller goes. */
const tick: Method = {
  ...echo,
  name: tickEndpoint,
  kind: "server",
  handle: async function* (_, { signal }) {
    while (!signal.aborted) {
      yield tickMessage;
      await delay(1000, undefined, { signal, ref: false }).catch(() => {});
    }
  },
};

// Arguments, if any: the files of a certificate and its key.
if (import.meta.main) {
  const { publicKey, privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const account: Account = { id: "bench", name: "bench", type: "service", issuer: "micro", scopes: [], metadata: {} };
  const token = await signToken(account, new Date(Date.now() + 3_600_000), "bench", privateKey);
  const verifier = new TokenVerifier(publicKey);
  const methods = new Map([echo, down, up, tick].map((method) => [method.name, method]));
  const [cert, key] = await Promise.all(process.argv.slice(2).map((file) => readFile(file)));
  const { address } = await listen(
    (call) => {
      const { service, endpoint } = parsePath(call.path);
      const caller = verifier.verify(call.metadata["authorization"]);
      const namespace = call.metadata["micro-namespace"] ?? caller?.issuer ?? "";
      return serveMethod(call, findMethod(methods, service, endpoint), { service, account: caller, namespace });
    },
    { address: "127.0.0.1:0", ...(cert && key ? { tls: { cert, key } } : {}) },
  );
  announce({ address, authorization: `Bearer ${token}` });
}
