import type { Bench } from "../bench.ts";
import { HttpConnection, httpRequest } from "../http-connection.ts";
import { closedLoop } from "../load.ts";
import { startMicroServer } from "../micro-server.ts";
import { grpcJsFile } from "../peers/grpc-js.ts";
import { helloAnswer, helloRequests } from "../peers/hello.ts";
import { httpEchoFile } from "../peers/http-echo.ts";
import { httpGrpcJsFile } from "../peers/http-grpc-js.ts";
import { measureMicroV3 } from "../peers/micro-v3.ts";
import type { Measure, Row } from "../row.ts";

const connections = 64;

/** HTTP/JSON to a service through the gateway, with a query and with a body. */
export const gateway: readonly Row[] = [
  gatewayRow("gateway-get", "Gateway, GET with query, 64 connections", "GET"),
  gatewayRow("gateway-post", "Gateway, POST of JSON, 64 connections", "POST"),
];

function gatewayRow(name: string, title: string, method: keyof typeof helloRequests): Row {
  return {
    name,
    title,
    unit: "calls/s",
    contenders: {
      ours: "micro server → examples/helloworld as deployed by micro run: token, rule for signed-in callers, schema validation, access log",
      "node:http": "bare node:http echo, nothing behind (practical limit)",
      "grpc-js": "node:http → @grpc/grpc-js → grpc-js server, by hand: no token, no rule, no schema, no log",
      "Micro v3": "the original in Go: its gateway in front of the same service, the admin's token, its access log",
    },
    bars: [
      { text: "≥ 0.75× bare node:http", of: "ours", against: "node:http", atLeast: 0.75 },
      { text: "≥ 6× Micro v3", of: "ours", against: "Micro v3", atLeast: 6 },
    ],
    waiting: ["≥ 3× Moleculer over TCP", "≥ 8× NestJS gRPC"],
    profiled: ["server"],
    async open(bench) {
      const server = await startMicroServer(bench, "ours");
      await server.deployHelloworld();
      const grpcJs = await bench.serve("grpc-js", grpcJsFile);
      const [echo, byHand] = await Promise.all([
        bench.serve("node:http", httpEchoFile),
        bench.serve("http-grpc-js", httpGrpcJsFile, [grpcJs.address]),
      ]);
      const { path, body } = helloRequests[method];
      const signedIn = httpRequest(path, { Authorization: await server.authorization() }, body);
      const anonymous = httpRequest(path, {}, body);
      return {
        ours: await measured(bench, server.addresses.api, signedIn),
        "node:http": await measured(bench, echo.address, anonymous),
        "grpc-js": await measured(bench, byHand.address, anonymous),
      };
    },
    separate: { "Micro v3": (bench) => measureMicroV3(bench, method === "GET" ? "gateway-get" : "gateway-post") },
  };
}

async function measured(bench: Bench, address: string, request: Buffer): Promise<Measure> {
  const open = async () => bench.use(await HttpConnection.open(address, request, helloAnswer));
  const pool = await Promise.all(Array.from({ length: connections }, open));
  await pool[0]?.request();
  const call = (slot: number) => pool[slot]?.request() ?? Promise.reject(new Error("no such connection"));
  return (ms) => closedLoop(call, { inFlight: connections, ms, signal: bench.signal });
}
