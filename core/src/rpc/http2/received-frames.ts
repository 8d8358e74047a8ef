import type { ClosedStreams } from "./closed-streams.ts";
import type { FrameSink } from "./frame-parser.ts";
import { Flag, FrameType, protocolError } from "./protocol.ts";
import { ReceivedControl } from "./received-control.ts";
import { ReceivedData } from "./received-data.ts";
import { ReceivedHeaderBlocks } from "./received-headers.ts";
import type { Receiver } from "./receiver.ts";

/** Takes each frame of the peer to where its type is handled, if one may come now. */
export class ReceivedFrames implements FrameSink {
  readonly #connection: Receiver;
  readonly #data: ReceivedData;
  readonly #headers: ReceivedHeaderBlocks;
  readonly #control: ReceivedControl;

  constructor(connection: Receiver, closed: ClosedStreams) {
    this.#connection = connection;
    this.#data = new ReceivedData(connection, closed);
    this.#headers = new ReceivedHeaderBlocks(connection, closed);
    this.#control = new ReceivedControl(connection, closed);
  }

  /** Since when a header block has not been whole, in milliseconds of `Date.now()`; 0 when none is. */
  get unfinishedSinceMs(): number {
    return this.#headers.unfinished?.sinceMs ?? 0;
  }

  onFrame(type: number, flags: number, streamId: number, bytes: Buffer, start: number, end: number): void {
    const { unfinished } = this.#headers;
    if (unfinished !== undefined && (type !== FrameType.continuation || streamId !== unfinished.streamId))
      throw protocolError("a header block was interrupted by another frame");
    if (!this.#connection.isReady && (type !== FrameType.settings || flags & Flag.ack))
      throw protocolError("the first frame was not SETTINGS");
    switch (type) {
      case FrameType.data:
        this.#data.onData(flags, streamId, bytes, start, end);
        break;
      case FrameType.headers:
        this.#headers.onHeadersFrame(flags, streamId, bytes, start, end);
        break;
      case FrameType.windowUpdate:
        this.#control.onWindowUpdate(streamId, bytes, start, end);
        break;
      case FrameType.rstStream:
        this.#control.onRstStream(streamId, bytes, start, end);
        break;
      case FrameType.settings:
        this.#control.onSettings(flags, streamId, bytes, start, end);
        break;
      case FrameType.ping:
        this.#control.onPing(flags, streamId, bytes, start, end);
        break;
      case FrameType.continuation:
        this.#headers.onContinuation(flags, streamId, bytes, start, end);
        break;
      case FrameType.priority:
        this.#control.onPriority(streamId, bytes, start, end);
        break;
      case FrameType.goaway:
        this.#control.onGoaway(streamId, bytes, start, end);
        break;
      case FrameType.pushPromise:
        // This side has switched push off (RFC 9113 §6.6).
        throw protocolError("PUSH_PROMISE is not accepted");
      default:
        // Extensions are ignored (RFC 9113 §5.5).
        this.#connection.idle();
    }
  }
}
