import type { ClosedStreams } from "./closed-streams.ts";
import { paddingOf } from "./padding.ts";
import { ErrorCode, Flag, protocolError } from "./protocol.ts";
import type { Receiver } from "./receiver.ts";
import type { Stream } from "./stream.ts";

/** DATA frames (RFC 9113 §6.1): both windows are charged for them, padding included, and given back as the data is read. */
export class ReceivedData {
  readonly #connection: Receiver;
  readonly #closed: ClosedStreams;

  constructor(connection: Receiver, closed: ClosedStreams) {
    this.#connection = connection;
    this.#closed = closed;
  }

  onData(flags: number, streamId: number, bytes: Buffer, start: number, end: number): void {
    const connection = this.#connection;
    const { inflow } = connection;
    const length = end - start;
    let dataEnd = end;
    let dataStart = start;
    if (flags & Flag.padded) {
      dataStart++;
      dataEnd -= paddingOf(bytes, start, end);
      if (dataEnd < dataStart) throw protocolError("padding is longer than the frame");
    }
    inflow.received(length);
    const isEnd = (flags & Flag.endStream) !== 0;
    const stream = connection.streams.get(streamId);
    if (stream !== undefined && !stream.hasHeaders) {
      inflow.grant(length);
      connection.resetForPeer(stream, ErrorCode.protocolError, "malformed response: DATA stands before its headers");
      return;
    }
    const dataBytes = dataEnd - dataStart;
    if (dataBytes === 0 && (!isEnd || stream === undefined)) connection.idle();
    if (stream === undefined || stream.isRemoteEnded) {
      inflow.grant(length);
      this.#closed.onFrame(streamId, stream, "DATA");
      return;
    }
    stream.receiveWindow -= length;
    if (stream.receiveWindow < 0) {
      inflow.grant(length);
      connection.resetForPeer(stream, ErrorCode.flowControlError, "the stream's window was exceeded");
      return;
    }
    stream.received(dataBytes);
    inflow.hold(dataBytes);
    inflow.grant(length);
    if (length > dataBytes) stream.consumed(length - dataBytes);
    if (stream.expectedBytes !== undefined && !this.#isAsAnnounced(stream, dataBytes, isEnd)) return;
    if (dataBytes > 0) {
      connection.usefulFrames++;
      stream.events.onData(bytes, dataStart, dataEnd);
    }
    if (isEnd && !stream.isClosed) stream.remoteEnd(undefined);
  }

  /** Whether the body still agrees with its content-length (RFC 9113 §8.1.1); if not, resets the stream. */
  #isAsAnnounced(stream: Stream, bytes: number, isEnd: boolean): boolean {
    if (stream.expectedBytes === undefined) return true;
    stream.expectedBytes -= bytes;
    if (stream.expectedBytes >= 0 && !(isEnd && stream.expectedBytes > 0)) return true;
    this.#connection.resetForPeer(stream, ErrorCode.protocolError, "the body's length differs from content-length");
    return false;
  }
}
