/**
 * Ours, with the work of a real call. Client: token, namespace, two more metadata entries of which one is unique, a deadline. Server: path,
 * token, metadata, deadline, the member check of the namespace, then the handler.
 */
import { generateKeyPairSync } from "node:crypto";
import { type Account, requireMember, signToken, TokenVerifier } from "@microts/core";
import { findMethod, listen, type Method, parsePath, RpcClient, serveMethod } from "@microts/core/rpc";
import { announce } from "../announce.ts";
import { echoEndpoint, echoService } from "./echo.ts";

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
export function connectMicroRpc(address: string, authorization: string): RpcClient {
  return new RpcClient({ resolve: () => address, metadata: () => microMetadata(authorization) });
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

if (import.meta.main) {
  const { publicKey, privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const account: Account = { id: "bench", name: "bench", type: "service", issuer: "micro", scopes: [], metadata: {} };
  const token = await signToken(account, new Date(Date.now() + 3_600_000), "bench", privateKey);
  const verifier = new TokenVerifier(publicKey);
  const methods = new Map([[echo.name, echo]]);
  const { address } = await listen(
    (call) => {
      const { service, endpoint } = parsePath(call.path);
      const caller = verifier.verify(call.metadata["authorization"]);
      const namespace = call.metadata["micro-namespace"] ?? caller?.issuer ?? "";
      return serveMethod(call, findMethod(methods, service, endpoint), { service, account: caller, namespace });
    },
    { address: "127.0.0.1:0" },
  );
  announce({ address, authorization: `Bearer ${token}` });
}
