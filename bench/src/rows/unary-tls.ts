import { makeCertificate } from "../certificate.ts";
import { echoEndpoint, echoMessage, echoService } from "../peers/echo.ts";
import { connectGrpcJs, grpcJsFile } from "../peers/grpc-js.ts";
import { connectMicroRpc, microRpcFile } from "../peers/micro-rpc.ts";
import type { Row } from "../row.ts";
import { measuredUnary } from "./unary.ts";

/** What TLS costs each side, in one row so that its contenders take turns. */
export const unaryTls: Row = {
  name: "unary-tls",
  title: "gRPC unary, small echo, 64 in flight on one connection, clear text and TLS 1.3",
  unit: "calls/s",
  contenders: {
    ours: "over TLS: RpcClient + listen + serveMethod with the work of a real call",
    "ours, clear": "the same in clear text",
    "grpc-js": "over TLS: @grpc/grpc-js, both sides, bare",
    "grpc-js, clear": "the same in clear text",
  },
  bars: [
    { text: "≥ 12× grpc-js, both over TLS", of: "ours", against: "grpc-js", atLeast: 12 },
    {
      text: "TLS takes no greater share of ours than of grpc-js (TLS ÷ clear text, ours ÷ theirs)",
      of: "ours",
      against: "ours, clear",
      beside: { of: "grpc-js", against: "grpc-js, clear" },
      atLeast: 1,
    },
  ],
  profiled: ["client", "server"],
  async open(bench) {
    const certificate = await makeCertificate(bench);
    const files = certificate === undefined ? [] : [certificate.certFile, certificate.keyFile];
    const [tls, clear, grpcTls, grpcClear] = await Promise.all([
      bench.serve("ours", microRpcFile, files),
      bench.serve("clear", microRpcFile),
      bench.serve("grpc-js", grpcJsFile, files),
      bench.serve("grpc-js-clear", grpcJsFile),
    ]);
    const ours = ({ address, authorization = "" }: typeof tls, ca?: string) => {
      const client = bench.use(connectMicroRpc(address, authorization, ca));
      return measuredUnary(bench, () => client.unary(echoService, echoEndpoint, echoMessage));
    };
    const grpcJs = ({ address }: typeof tls, ca?: string) => {
      const client = bench.use(connectGrpcJs(address, undefined, ca));
      return measuredUnary(bench, () => client.call(echoMessage));
    };
    const skipped = { skipped: "there is no openssl to make a certificate with" };
    return {
      ours: certificate === undefined ? skipped : await ours(tls, certificate.cert),
      "ours, clear": await ours(clear),
      "grpc-js": certificate === undefined ? skipped : await grpcJs(grpcTls, certificate.cert),
      "grpc-js, clear": await grpcJs(grpcClear),
    };
  },
};
