import { RpcClient, serviceClient } from "@microts/core/rpc";
import { Registry } from "@microts/proto/registry";
import { startNginx } from "../engines/nginx.ts";
import { h2loaded, messageFile } from "../h2load.ts";
import { startMicroServer } from "../micro-server.ts";
import { checkEcho, echoEndpoint, echoMessage, echoPath, echoService } from "../peers/echo.ts";
import { echoServiceFile } from "../peers/echo-service.ts";
import { measureMicroV3 } from "../peers/micro-v3.ts";
import type { Row } from "../row.ts";

/** The identity-aware proxy in front of a service, against the same service without it. */
export const proxy: Row = {
  name: "proxy",
  title: "gRPC proxy in front of an echo service, h2load 4 connections × 16 streams, small echo",
  unit: "calls/s",
  contenders: {
    ours: "proxy of micro server: verified token, rule for signed-in callers, frames passed on undecoded",
    nginx: "nginx grpc_pass, one worker: no token, no rule",
    "no proxy": "the service itself",
    "Micro v3":
      "the original in Go: its proxy and network in front of the same service, verified token; our client, 4 connections × 16",
  },
  bars: [
    { text: "≥ 4× nginx grpc_pass", of: "ours", against: "nginx", atLeast: 4 },
    { text: "≥ 0.4× no proxy", of: "ours", against: "no proxy", atLeast: 0.4 },
    { text: "≥ 50× Micro v3", of: "ours", against: "Micro v3", atLeast: 50 },
  ],
  profiled: ["server"],
  async open(bench) {
    const server = await startMicroServer(bench, "ours");
    const authorization = await server.authorization();
    const { proxy: address } = server.addresses;
    const metadata = () => ({ authorization, "micro-namespace": "micro" });
    const rpc = bench.use(new RpcClient({ resolve: () => address, metadata }));
    const { address: node } = await bench.serve("echo", echoServiceFile);
    const registered = { name: echoService, version: "latest", nodes: [{ id: "echo-1", address: node }] };
    await serviceClient(Registry, rpc, "registry").register(registered);
    await server.letSignedInCall(echoService);
    const nginx = await startNginx(bench, node);
    const body = await messageFile(bench, echoMessage);
    const driven = async (at: string) => {
      checkEcho(await rpc.unary(echoService, echoEndpoint, echoMessage, { address: at }));
      const headers = { ...metadata(), "content-type": "application/grpc" };
      return h2loaded(bench, at, echoPath, body, headers);
    };
    return {
      ours: await driven(address),
      nginx: nginx === undefined ? { skipped: "nginx is not installed (Debian: nginx-light)" } : await driven(nginx),
      "no proxy": await driven(node),
    };
  },
  // h2load can't see that a call failed which was answered with HTTP's 200, and this one fails some.
  separate: { "Micro v3": (bench) => measureMicroV3(bench, "proxy") },
};
