import { h2loaded, messageFile } from "../h2load.ts";
import { checkEcho, echoEndpoint, echoMessage, echoPath, echoService } from "../peers/echo.ts";
import { connectGrpcJs, grpcJsFile } from "../peers/grpc-js.ts";
import { http2File } from "../peers/http2.ts";
import { connectMicroRpc, microMetadata, microRpcFile } from "../peers/micro-rpc.ts";
import type { Row } from "../row.ts";

/** Servers alone, with a load generator that is not ours. */
export const h2load: Row = {
  name: "h2load",
  title: "gRPC servers driven by h2load, 4 connections × 16 streams, small echo",
  unit: "calls/s",
  contenders: {
    ours: "listen + serveMethod: token, metadata, deadline, member check",
    "grpc-js": "@grpc/grpc-js server, bare",
    http2: "raw node:http2 server",
  },
  bars: [{ text: "≥ 6× the grpc-js server", of: "ours", against: "grpc-js", atLeast: 6 }],
  profiled: ["server"],
  async open(bench) {
    const [ours, grpcJs, http2] = await Promise.all([
      bench.serve("ours", microRpcFile),
      bench.serve("grpc-js", grpcJsFile),
      bench.serve("http2", http2File),
    ]);
    const authorization = ours.authorization ?? "";
    const ourClient = bench.use(connectMicroRpc(ours.address, authorization));
    checkEcho(await ourClient.unary(echoService, echoEndpoint, echoMessage));
    checkEcho(await bench.use(connectGrpcJs(grpcJs.address)).call(echoMessage));
    const body = await messageFile(bench, echoMessage);
    const headers = { ...microMetadata(authorization), "grpc-timeout": "10S" };
    return {
      ours: await h2loaded(bench, ours.address, echoPath, body, headers),
      "grpc-js": await h2loaded(bench, grpcJs.address, echoPath, body, {}),
      http2: await h2loaded(bench, http2.address, echoPath, body, {}),
    };
  },
};
