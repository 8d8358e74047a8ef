import type { Announcement } from "../bench.ts";
import { h2loaded, messageFile } from "../h2load.ts";
import { checkEcho, echoEndpoint, echoMessage, echoPath, echoService } from "../peers/echo.ts";
import { connectGrpcJs, grpcJsFile } from "../peers/grpc-js.ts";
import { http2File } from "../peers/http2.ts";
import { connectMicroRpc, microMetadata, microRpcFile } from "../peers/micro-rpc.ts";
import type { Row } from "../row.ts";
import { serveTls, tlsBars } from "../tls.ts";

/** Servers alone, with a load generator that is not ours. */
export const h2load: Row = {
  name: "h2load",
  title: "gRPC servers driven by h2load, 4 connections × 16 streams, small echo",
  unit: "calls/s",
  contenders: {
    ours: "listen + serveMethod: token, metadata, deadline, member check",
    "grpc-js": "@grpc/grpc-js server, bare",
    http2: "raw node:http2 server",
    "ours, TLS": "ours over TLS 1.3",
    "grpc-js, TLS": "grpc-js over TLS 1.3",
  },
  bars: [{ text: "≥ 6× the grpc-js server", of: "ours", against: "grpc-js", atLeast: 6 }, ...tlsBars],
  profiled: ["server"],
  async open(bench) {
    const [ours, grpcJs, http2] = await Promise.all([
      bench.serve("ours", microRpcFile),
      bench.serve("grpc-js", grpcJsFile),
      bench.serve("http2", http2File),
    ]);
    const tls = await serveTls(bench);
    const authorization = ours.authorization ?? "";
    const ourClient = bench.use(connectMicroRpc(ours.address, authorization));
    checkEcho(await ourClient.unary(echoService, echoEndpoint, echoMessage));
    checkEcho(await bench.use(connectGrpcJs(grpcJs.address)).call(echoMessage));
    const body = await messageFile(bench, echoMessage);
    const driven = (server: Announcement, headers: Readonly<Record<string, string>>, scheme?: "https") =>
      h2loaded(bench, server.address, echoPath, body, headers, scheme);
    const headers = { ...microMetadata(authorization), "grpc-timeout": "10S" };
    return {
      ours: await driven(ours, headers),
      "grpc-js": await driven(grpcJs, {}),
      http2: await driven(http2, {}),
      ...("skipped" in tls
        ? { "ours, TLS": tls, "grpc-js, TLS": tls }
        : {
            "ours, TLS": await driven(tls.ours, { ...headers, authorization: tls.ours.authorization ?? "" }, "https"),
            "grpc-js, TLS": await driven(tls.grpcJs, {}, "https"),
          }),
    };
  },
};
