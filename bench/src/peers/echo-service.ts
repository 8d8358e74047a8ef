/** A service that answers JSON with what it got and checks nothing: what stands behind a proxy when the proxy is what counts. */
import { findMethod, listen, type Method, parsePath, serveMethod } from "@microts/core/rpc";
import { announce } from "../announce.ts";
import { echoEndpoint } from "./echo.ts";

export const echoServiceFile = import.meta.filename;

const echo: Method = {
  name: echoEndpoint,
  kind: "unary",
  decode: (bytes) => bytes,
  encode: (value) => value as Uint8Array,
  handle: (request) => request,
};

if (import.meta.main) {
  const methods = new Map([[echo.name, echo]]);
  const { address } = await listen(
    (call) => {
      const { service, endpoint } = parsePath(call.path);
      return serveMethod(call, findMethod(methods, service, endpoint), { service, account: undefined, namespace: "" });
    },
    { address: "127.0.0.1:0" },
  );
  announce({ address });
}
