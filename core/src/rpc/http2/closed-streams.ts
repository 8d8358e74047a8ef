import { overLimit } from "./limits.ts";
import { ErrorCode, protocolError } from "./protocol.ts";
import type { Receiver } from "./receiver.ts";
import type { Stream } from "./stream.ts";

/** Streams that this side has reset, for so many of which frames on their way are ignored. */
const rememberedResets = 256;

/** What comes for streams that are over or never were (RFC 9113 §5.1). */
export class ClosedStreams {
  readonly #connection: Receiver;
  readonly #resetIds = new Set<number>();

  constructor(connection: Receiver) {
    this.#connection = connection;
  }

  /** This side has reset the stream: what the peer sent before it knew is no mistake. */
  remember(streamId: number): void {
    this.#resetIds.add(streamId);
    if (this.#resetIds.size <= rememberedResets) return;
    for (const oldest of this.#resetIds) {
      this.#resetIds.delete(oldest);
      break;
    }
  }

  /** Whether frames of the stream may still be on their way. */
  isExpected(streamId: number): boolean {
    return this.#resetIds.has(streamId);
  }

  /** The peer has reset the stream too: nothing of it can be on its way any longer. */
  forget(streamId: number): void {
    this.#resetIds.delete(streamId);
  }

  /** `frame`, DATA or HEADERS, came for a stream that takes none. `stream` is there when only the peer has ended it. */
  onFrame(streamId: number, stream: Stream | undefined, frame: string): void {
    const connection = this.#connection;
    if (streamId === 0 || connection.isIdleStream(streamId))
      throw protocolError(`${frame} on stream ${streamId}, which is idle`);
    if (stream !== undefined) {
      connection.resetForPeer(stream, ErrorCode.streamClosed, `${frame} after END_STREAM`);
      return;
    }
    if (this.#resetIds.has(streamId)) return;
    if (!connection.control.take())
      throw overLimit(connection.limits, "too many frames on closed streams", "controlBurst");
    connection.writer.rstStream(streamId, ErrorCode.streamClosed);
    this.remember(streamId);
  }
}
