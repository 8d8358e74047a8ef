/**
 * The practical limit of calls over a connection: frames of a length (4 bytes), a call's number (4 bytes) and the message on plain TCP,
 * one write per event-loop turn each way. No paths, headers, flow control or errors.
 */
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { listenAndAnnounce } from "../announce.ts";

export const framesFile = import.meta.filename;

const headBytes = 8;

/** Calls `onFrame` for each whole frame that arrives. */
function readFrames(socket: Socket, onFrame: (call: number, message: Buffer) => void): void {
  let rest: Buffer = Buffer.alloc(0);
  socket.on("data", (chunk: Buffer) => {
    const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    let at = 0;
    while (bytes.length - at >= headBytes) {
      const end = at + headBytes + bytes.readUInt32BE(at);
      if (end > bytes.length) break;
      onFrame(bytes.readUInt32BE(at + 4), bytes.subarray(at + headBytes, end));
      at = end;
    }
    rest = bytes.subarray(at);
  });
}

/** Returns a function that sends a frame with all others of the same event-loop turn. */
function frameWriter(socket: Socket): (call: number, message: Uint8Array) => void {
  let slab = Buffer.allocUnsafe(64 * 1024);
  let used = 0;
  const flush = () => {
    socket.write(slab.subarray(0, used));
    slab = Buffer.allocUnsafe(64 * 1024);
    used = 0;
  };
  return (call, message) => {
    if (used === 0) setImmediate(flush);
    slab.writeUInt32BE(message.length, used);
    slab.writeUInt32BE(call, used + 4);
    slab.set(message, used + headBytes);
    used += headBytes + message.length;
  };
}

export interface FramesClient extends AsyncDisposable {
  call(message: Uint8Array): Promise<Uint8Array>;
}

export async function connectFrames(address: string): Promise<FramesClient> {
  const [host, port] = address.split(":");
  const socket = connect({ host, port: Number(port), noDelay: true });
  await once(socket, "connect");
  const waiting = new Map<number, (message: Uint8Array) => void>();
  const write = frameWriter(socket);
  readFrames(socket, (call, message) => {
    waiting.get(call)?.(message);
    waiting.delete(call);
  });
  let calls = 0;
  return {
    call: (message) =>
      new Promise((resolve) => {
        calls = (calls + 1) >>> 0;
        waiting.set(calls, resolve);
        write(calls, message);
      }),
    async [Symbol.asyncDispose]() {
      socket.destroy();
    },
  };
}

if (import.meta.main) {
  listenAndAnnounce(
    createServer({ noDelay: true }, (socket) => {
      const write = frameWriter(socket);
      socket.on("error", () => socket.destroy());
      readFrames(socket, write);
    }),
  );
}
