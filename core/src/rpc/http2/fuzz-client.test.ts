// Random and mutated frames into a client's connections, with calls that wait for their answers there.
import { equal } from "node:assert/strict";
import { describe, it } from "node:test";
import { fuzzInputs, fuzzSeed, runFuzz } from "../../../../testing/src/fuzz-run.ts";
import { MemorySocket } from "../../../../testing/src/memory-socket.ts";
import { requestFields } from "../call-fields.ts";
import { Http2ClientCall } from "../client-call.ts";
import type { Outgoing, StreamSource } from "../outgoing.ts";
import type { Status } from "../transport.ts";
import { UnaryCall } from "../unary-call.ts";
import { ClientConnection } from "./client-connection.ts";
import { defaultLimits } from "./limits.ts";

const maxMessageBytes = 1000;
const start = { path: "/f.F/Echo", contentType: "application/grpc", metadata: {}, deadline: undefined };
const fields = requestFields(start, "test", false);
const message = Buffer.from("request");
const ids = [1, 3, 5];

/** One connection, for what has to be sent again too. */
class Source implements StreamSource {
  readonly connection: ClientConnection;

  constructor(connection: ClientConnection) {
    this.connection = connection;
  }

  open(call: Outgoing): void {
    const gone = { code: 0, message: "gone", isRemote: true, isConnectionLost: true, isUnprocessed: false };
    if (this.connection.isDraining) call.failed(gone);
    else call.attach(this.connection);
  }

  forget(): void {}
}

async function callUnary(source: Source): Promise<void> {
  const errorOf = (status: Status) => new Error(status.message);
  const call = new UnaryCall(source, fields, "test", start, undefined, maxMessageBytes, errorOf);
  await call.run(message).catch(() => {});
}

async function callStreaming(source: Source): Promise<void> {
  const call = new Http2ClientCall(source, fields, "test", start, undefined, maxMessageBytes);
  call.send(message).catch(() => {});
  try {
    while ((await call.read()) !== undefined);
  } catch {
    // A message that breaks the rules.
  }
  await call.status;
}

describe("a client's connection, fed anything,", () => {
  it(`never fails by itself, and ends all its calls: ${fuzzInputs} conversations of seed ${fuzzSeed}`, async () => {
    let openCalls = 0;
    await runFuzz(() => {
      const socket = new MemorySocket();
      const connection = new ClientConnection(socket.asSocket, {
        limits: { ...defaultLimits, streamWindowBytes: 2000, maxHeaderListBytes: 2000 },
        keepalive: { afterMs: 60_000, timeoutMs: 20_000, withoutCalls: true, minIntervalMs: 0 },
        idleMs: 60_000,
        onRoom() {},
        onTooManyPings() {},
        onLost() {},
      });
      socket.on("data", (chunk: Buffer) => connection.receive(chunk));
      connection.output.open();
      const source = new Source(connection);
      for (const call of [callUnary, callUnary, callStreaming]) {
        openCalls++;
        void call(source).then(() => openCalls--);
      }
      return {
        socket,
        over(label) {
          equal(connection.isClosed, true, `${label}: it isn't over`);
          equal(connection.streams.size, 0, `${label}: it has streams after its end`);
          equal(connection.assemblyBytes, 0, `${label}: it counts unfinished messages after its end`);
        },
      };
    }, ids);
    equal(openCalls, 0);
  });
});
