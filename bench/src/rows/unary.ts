import type { Bench } from "../bench.ts";
import { closedLoop } from "../load.ts";
import { checkEcho, echoEndpoint, echoMessage, echoService } from "../peers/echo.ts";
import { connectFrames, framesFile } from "../peers/frames.ts";
import { connectGrpcJs, grpcJsFile } from "../peers/grpc-js.ts";
import { callHttp2, connectHttp2, http2File } from "../peers/http2.ts";
import { connectMicroRpc, microRpcFile } from "../peers/micro-rpc.ts";
import type { Measure, Row } from "../row.ts";
import { serveTls, type TlsServer, tlsBars } from "../tls.ts";

const inFlight = 64;

/** gRPC unary calls of a small message. */
export const unary: Row = {
  name: "unary",
  title: "gRPC unary, small echo, 64 in flight on one connection",
  unit: "calls/s",
  contenders: {
    ours: "RpcClient + listen + serveMethod: token, metadata, deadline, member check",
    frames: "length-prefixed frames on TCP (practical limit)",
    http2: "raw node:http2, both sides",
    "grpc-js": "@grpc/grpc-js, both sides, bare",
    "ours → grpc-js": "our client, grpc-js server",
    "grpc-js → ours": "grpc-js client with a token, our server",
    "ours, TLS": "ours over TLS 1.3",
    "grpc-js, TLS": "grpc-js over TLS 1.3",
  },
  bars: [
    { text: "≥ 12× grpc-js", of: "ours", against: "grpc-js", atLeast: 12 },
    { text: "≥ 0.45× frames on TCP", of: "ours", against: "frames", atLeast: 0.45 },
    {
      text: "our client against a grpc-js server is never slower than grpc-js both sides",
      of: "ours → grpc-js",
      against: "grpc-js",
      atLeast: 1,
    },
    {
      text: "a grpc-js client against our server is never slower than grpc-js both sides",
      of: "grpc-js → ours",
      against: "grpc-js",
      atLeast: 1,
    },
    ...tlsBars,
  ],
  isApart: true,
  profiled: ["client", "server"],
  async open(bench) {
    const [ours, frames, http2, grpcJs] = await Promise.all([
      bench.serve("ours", microRpcFile),
      bench.serve("frames", framesFile),
      bench.serve("http2", http2File),
      bench.serve("grpc-js", grpcJsFile),
    ]);
    const tls = await serveTls(bench);
    const authorization = ours.authorization ?? "";
    const framesClient = bench.use(await connectFrames(frames.address));
    const http2Client = bench.use(connectHttp2(http2.address));
    const grpcJsClient = bench.use(connectGrpcJs(grpcJs.address));
    const mixedClient = bench.use(connectGrpcJs(ours.address, authorization));
    const micro = (address: string, token = authorization, ca?: string) => {
      const client = bench.use(connectMicroRpc(address, token, ca));
      return () => client.unary(echoService, echoEndpoint, echoMessage);
    };
    const overTls =
      "skipped" in tls
        ? { "ours, TLS": tls, "grpc-js, TLS": tls }
        : {
            "ours, TLS": await measured(bench, micro(tls.ours.address, tls.ours.authorization, tls.ours.ca)),
            "grpc-js, TLS": await measured(bench, grpcJsOver(bench, tls.grpcJs)),
          };
    return {
      ours: await measured(bench, micro(ours.address)),
      frames: await measured(bench, () => framesClient.call(echoMessage)),
      http2: await measured(bench, () => callHttp2(http2Client, echoMessage)),
      "grpc-js": await measured(bench, () => grpcJsClient.call(echoMessage)),
      "ours → grpc-js": await measured(bench, micro(grpcJs.address)),
      "grpc-js → ours": await measured(bench, () => mixedClient.call(echoMessage)),
      ...overTls,
    };
  },
};

function grpcJsOver(bench: Bench, { address, ca }: TlsServer): () => Promise<Buffer> {
  const client = bench.use(connectGrpcJs(address, undefined, ca));
  return () => client.call(echoMessage);
}

/** Makes one call to check the answer. */
async function measured(bench: Bench, call: () => Promise<Uint8Array>): Promise<Measure> {
  checkEcho(await call());
  return (ms) => closedLoop(async () => checkEcho(await call()), { inFlight, ms, signal: bench.signal });
}
