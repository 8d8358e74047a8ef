import { HpackDecoder, HpackError } from "../hpack/index.ts";
import type { ClosedStreams } from "./closed-streams.ts";
import { HeaderBlock } from "./header-block.ts";
import { paddingOf } from "./padding.ts";
import { ConnectionError, ErrorCode, Flag, frameSizeError, protocolError } from "./protocol.ts";
import type { Receiver } from "./receiver.ts";

/** Header blocks: HEADERS (RFC 9113 §6.2) and the CONTINUATION frames behind them (§6.10), decoded as they are whole (§4.3). */
export class ReceivedHeaderBlocks {
  readonly #connection: Receiver;
  readonly #closed: ClosedStreams;
  readonly #decoder = new HpackDecoder();
  /** The block that is not whole yet. */
  unfinished: HeaderBlock | undefined = undefined;

  constructor(connection: Receiver, closed: ClosedStreams) {
    this.#connection = connection;
    this.#closed = closed;
  }

  onHeadersFrame(flags: number, streamId: number, bytes: Buffer, start: number, end: number): void {
    if (streamId === 0) throw protocolError("HEADERS on stream 0");
    let from = start;
    let to = end;
    if (flags & Flag.padded) {
      from++;
      to -= paddingOf(bytes, start, end);
    }
    let dependency: number | undefined;
    if (flags & Flag.priority) {
      if (to - from < 5) throw frameSizeError("HEADERS without its priority fields");
      dependency = bytes.readUInt32BE(from) & 0x7fffffff;
      from += 5;
    }
    if (to < from) throw protocolError("padding is longer than the frame");
    const isEnd = (flags & Flag.endStream) !== 0;
    if (flags & Flag.endHeaders) {
      this.#decode(streamId, isEnd, dependency === streamId, bytes, from, to);
      return;
    }
    this.unfinished = new HeaderBlock(streamId, isEnd, dependency === streamId, this.#connection.limits);
    this.unfinished.add(bytes, from, to);
  }

  onContinuation(flags: number, streamId: number, bytes: Buffer, start: number, end: number): void {
    const block = this.unfinished;
    if (block === undefined) throw protocolError(`CONTINUATION on stream ${streamId} without HEADERS`);
    block.add(bytes, start, end);
    if (!(flags & Flag.endHeaders)) return;
    this.unfinished = undefined;
    const whole = block.bytes();
    this.#decode(streamId, block.isEnd, block.dependsOnItself, whole, 0, whole.length);
  }

  /** Decodes every block, also of streams that are over: the table is the connection's (RFC 9113 §4.3). */
  #decode(streamId: number, isEnd: boolean, isSelfDependent: boolean, bytes: Buffer, from: number, to: number): void {
    const connection = this.#connection;
    const { maxHeaderListBytes, maxHeaderFields } = connection.limits;
    let fields: string[] | undefined;
    try {
      fields = this.#decoder.decode(bytes, from, to, maxHeaderListBytes, maxHeaderFields);
    } catch (error) {
      if (error instanceof HpackError) throw new ConnectionError(ErrorCode.compressionError, error.message);
      throw error;
    }
    const malformed = isSelfDependent ? "the stream depends on itself" : this.#decoder.malformed;
    const stream = connection.streams.get(streamId);
    if (stream?.isRemoteEnded) this.#closed.onFrame(streamId, stream, "HEADERS");
    else if (stream === undefined && !connection.isIdleStream(streamId)) this.#onLate(streamId);
    else connection.onHeaders({ streamId, fields, malformed, isEnd });
  }

  /** Headers on a stream that is over: in order only when this side has reset it while they were on their way. */
  #onLate(streamId: number): void {
    const connection = this.#connection;
    if (!connection.isServer || this.#closed.isExpected(streamId)) connection.idle();
    else throw new ConnectionError(ErrorCode.streamClosed, `HEADERS on stream ${streamId}, which is closed`);
  }
}
