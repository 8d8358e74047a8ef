import type { Announcement, Bench } from "../bench.ts";
import {
  checkCount,
  checkStreamed,
  downEndpoint,
  echoMessage,
  echoService,
  streamMessage,
  upEndpoint,
} from "../peers/echo.ts";
import { connectGrpcJs, type GrpcJsClient, grpcJsFile } from "../peers/grpc-js.ts";
import { connectMicroRpc, microRpcFile } from "../peers/micro-rpc.ts";
import type { Measure, Row } from "../row.ts";
import { serveTls, tlsBars } from "../tls.ts";

type Client = ReturnType<typeof connectMicroRpc>;

/** One stream of 1 KiB messages, in each direction. */
export const streams: readonly Row[] = [
  rowOf("stream-down", "gRPC server streaming, 1 KiB messages, one stream", down, grpcJsDown),
  rowOf("stream-up", "gRPC client streaming, 1 KiB messages, one stream", up, grpcJsUp),
];

function rowOf(
  name: string,
  title: string,
  ours: (bench: Bench, client: Client) => Measure,
  peer: (bench: Bench, client: GrpcJsClient) => Measure,
): Row {
  return {
    name,
    title,
    unit: "messages/s",
    contenders: {
      ours: "RpcClient + listen + serveMethod, as async iterables on both sides",
      "grpc-js": "@grpc/grpc-js, both sides, bare",
      "ours, TLS": "ours over TLS 1.3",
      "grpc-js, TLS": "grpc-js over TLS 1.3",
    },
    bars: [{ text: "≥ 5× grpc-js", of: "ours", against: "grpc-js", atLeast: 5 }, ...tlsBars],
    isApart: true,
    profiled: ["client", "server"],
    async open(bench) {
      const [micro, grpcJs] = await Promise.all([
        bench.serve("ours", microRpcFile),
        bench.serve("grpc-js", grpcJsFile),
      ]);
      const tls = await serveTls(bench);
      const oursAt = ({ address, authorization = "" }: Announcement, ca?: string) =>
        ours(bench, bench.use(connectMicroRpc(address, authorization, ca)));
      const peerAt = ({ address }: Announcement, ca?: string) =>
        peer(bench, bench.use(connectGrpcJs(address, undefined, ca)));
      return {
        ours: oursAt(micro),
        "grpc-js": peerAt(grpcJs),
        "ours, TLS": "skipped" in tls ? tls : oursAt(tls.ours, tls.ours.ca),
        "grpc-js, TLS": "skipped" in tls ? tls : peerAt(tls.grpcJs, tls.grpcJs.ca),
      };
    },
  };
}

/** Runs a stream until the time is up; `run` resolves with its number of messages. */
function timed(bench: Bench, run: (signal: AbortSignal) => Promise<number>): Measure {
  return async (ms) => {
    const startedMs = performance.now();
    const limit = new AbortController();
    const end = () => limit.abort();
    bench.signal.addEventListener("abort", end, { once: true });
    const timer = setTimeout(end, ms);
    const count = await run(limit.signal);
    clearTimeout(timer);
    bench.signal.removeEventListener("abort", end);
    bench.signal.throwIfAborted();
    return { value: count / ((performance.now() - startedMs) / 1000) };
  };
}

function down(bench: Bench, client: Client): Measure {
  return timed(bench, async (signal) => {
    let count = 0;
    for await (const message of client.serverStream(echoService, downEndpoint, echoMessage)) {
      checkStreamed(message);
      count++;
      if (signal.aborted) break;
    }
    return count;
  });
}

function up(bench: Bench, client: Client): Measure {
  return timed(bench, async (signal) => {
    let sent = 0;
    async function* messages() {
      while (!signal.aborted) {
        sent++;
        yield streamMessage;
      }
    }
    checkCount(await client.clientStream(echoService, upEndpoint, messages()), sent);
    return sent;
  });
}

function grpcJsDown(bench: Bench, client: GrpcJsClient): Measure {
  return timed(bench, (signal) => client.down(signal, checkStreamed));
}

function grpcJsUp(bench: Bench, client: GrpcJsClient): Measure {
  return timed(bench, async (signal) => {
    const { sent, reply } = await client.up(signal);
    checkCount(reply, sent);
    return sent;
  });
}
