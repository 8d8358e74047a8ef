import type { Bench } from "../bench.ts";
import { closedLoop } from "../load.ts";
import { checkEcho, echoEndpoint, echoMessage, echoService } from "../peers/echo.ts";
import { connectFrames, framesFile } from "../peers/frames.ts";
import { connectGrpcJs, grpcJsFile } from "../peers/grpc-js.ts";
import { callHttp2, connectHttp2, http2File } from "../peers/http2.ts";
import { connectMicroRpc, microRpcFile } from "../peers/micro-rpc.ts";
import type { Measure, Row } from "../row.ts";

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
  ],
  profiled: ["client", "server"],
  async open(bench) {
    const [ours, frames, http2, grpcJs] = await Promise.all([
      bench.serve("ours", microRpcFile),
      bench.serve("frames", framesFile),
      bench.serve("http2", http2File),
      bench.serve("grpc-js", grpcJsFile),
    ]);
    const authorization = ours.authorization ?? "";
    const framesClient = bench.use(await connectFrames(frames.address));
    const http2Client = bench.use(connectHttp2(http2.address));
    const grpcJsClient = bench.use(connectGrpcJs(grpcJs.address));
    const mixedClient = bench.use(connectGrpcJs(ours.address, authorization));
    const micro = (address: string) => {
      const client = bench.use(connectMicroRpc(address, authorization));
      return () => client.unary(echoService, echoEndpoint, echoMessage);
    };
    return {
      ours: await measuredUnary(bench, micro(ours.address)),
      frames: await measuredUnary(bench, () => framesClient.call(echoMessage)),
      http2: await measuredUnary(bench, () => callHttp2(http2Client, echoMessage)),
      "grpc-js": await measuredUnary(bench, () => grpcJsClient.call(echoMessage)),
      "ours → grpc-js": await measuredUnary(bench, micro(grpcJs.address)),
      "grpc-js → ours": await measuredUnary(bench, () => mixedClient.call(echoMessage)),
    };
  },
};

/** Unary calls from 64 slots; makes one to check the answer. */
export async function measuredUnary(bench: Bench, call: () => Promise<Uint8Array>): Promise<Measure> {
  checkEcho(await call());
  return (ms) => closedLoop(async () => checkEcho(await call()), { inFlight, ms, signal: bench.signal });
}
