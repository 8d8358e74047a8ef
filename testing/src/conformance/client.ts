// The client that connectconformance judges: reads test cases from standard input, makes the call of each, and writes what came of it.
import { Connections, type ConnectionsOptions, RpcClient } from "@microts/core/rpc";
import {
  type ClientCompatRequest,
  ClientCompatRequestSchema,
  ClientCompatResponseSchema,
} from "../../gen/connectrpc/conformance/v1/client_compat_pb.ts";
import { makeCall } from "./call.ts";
import { readFrames, writeFrame } from "./frames.ts";

/** One client for each server and way to reach it. */
const clients = new Map<string, RpcClient>();
const running = new Set<Promise<void>>();
const atOnce = 32;

process.once("SIGTERM", () => process.exit(0));
for await (const test of readFrames(ClientCompatRequestSchema, process.stdin)) {
  if (running.size >= atOnce) await Promise.race(running);
  const answer = run(test).finally(() => running.delete(answer));
  running.add(answer);
}
await Promise.all(running);
for (const client of clients.values()) await client[Symbol.asyncDispose]();

async function run(test: ClientCompatRequest): Promise<void> {
  const { testName } = test;
  try {
    const response = await makeCall(clientFor(test), test);
    writeFrame(ClientCompatResponseSchema, { testName, result: { case: "response", value: response } }, process.stdout);
  } catch (error) {
    const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
    writeFrame(ClientCompatResponseSchema, { testName, result: { case: "error", value: { message } } }, process.stdout);
  }
}

function clientFor({ host, port, serverTlsCert, clientTlsCreds, messageReceiveLimit }: ClientCompatRequest): RpcClient {
  const isTls = serverTlsCert.length > 0;
  const address = `${isTls ? "https://" : ""}${host}:${port}`;
  const key = `${address} ${messageReceiveLimit} ${clientTlsCreds !== undefined}`;
  let client = clients.get(key);
  if (client === undefined) {
    const options: ConnectionsOptions = {
      ...(messageReceiveLimit > 0 && { maxMessageBytes: messageReceiveLimit }),
      ...(isTls && {
        tls: {
          ca: Buffer.from(serverTlsCert),
          ...(clientTlsCreds && { cert: Buffer.from(clientTlsCreds.cert), key: Buffer.from(clientTlsCreds.key) }),
        },
      }),
    };
    client = new RpcClient({ resolve: () => address, connections: new Connections(options) });
    clients.set(key, client);
  }
  return client;
}
