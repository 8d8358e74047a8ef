// Calls with node:http2's client, asked for by the messages of a parent process. See node-http2-client.ts.
import { connect, type IncomingHttpHeaders } from "node:http2";
import { frameMessage, readMessages } from "./grpc-frames.ts";
import type { NodeAnswer, NodeCall } from "./node-http2-client.ts";

/** HTTP/2's code of a reset that gRPC takes for CANCELLED; it takes others for INTERNAL. */
const cancel = 8;

async function call({ address, path, metadata, messages }: NodeCall): Promise<NodeAnswer> {
  const session = connect(`http://${address}`);
  session.on("error", () => {});
  const control = { ":method": "POST", ":path": path, "content-type": "application/grpc", te: "trailers" };
  const stream = session.request({ ...control, ...Object.fromEntries(metadata) });
  let headers: IncomingHttpHeaders = {};
  let trailers: IncomingHttpHeaders | undefined;
  stream.on("response", (received) => {
    headers = received;
  });
  stream.on("trailers", (received) => {
    trailers = received;
  });
  stream.on("error", () => {});
  for (const message of messages) stream.write(frameMessage(message));
  stream.end();
  const received: string[] = [];
  try {
    for await (const message of readMessages(stream)) received.push(message.toString("hex"));
  } catch {
    // The stream was reset.
  }
  const { rstCode } = stream;
  session.destroy();
  const last = trailers ?? headers;
  const ofReset = rstCode === cancel ? 1 : 13;
  return {
    metadata: ofCalls(trailers === undefined && rstCode === 0 ? {} : headers),
    messages: received,
    status: last["grpc-status"] === undefined ? ofReset : Number(last["grpc-status"]),
    trailers: last["grpc-status"] === undefined ? {} : ofCalls(last),
  };
}

/** The fields that mean nothing to gRPC or HTTP. */
function ofCalls(headers: IncomingHttpHeaders): Record<string, string> {
  const pairs = Object.entries(headers).filter(([name]) => /^[xy]/.test(name));
  return Object.fromEntries(pairs.map(([name, value]) => [name, String(value)]));
}

process.on("message", (asked: NodeCall) => void call(asked).then((answer) => process.send?.(answer)));
