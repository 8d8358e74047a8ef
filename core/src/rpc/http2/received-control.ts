import type { ClosedStreams } from "./closed-streams.ts";
import { limitsText, overLimit } from "./limits.ts";
import {
  ConnectionError,
  ErrorCode,
  errorName,
  Flag,
  frameSizeError,
  maxWindowBytes,
  protocolError,
} from "./protocol.ts";
import type { Receiver } from "./receiver.ts";
import { applySettings } from "./settings.ts";

/** The frames without data or headers: each method names its section of RFC 9113. */
export class ReceivedControl {
  readonly #connection: Receiver;
  readonly #closed: ClosedStreams;

  constructor(connection: Receiver, closed: ClosedStreams) {
    this.#connection = connection;
    this.#closed = closed;
  }

  /** §6.3: priorities are ignored (§5.3.2), and must be well-formed all the same. */
  onPriority(streamId: number, bytes: Buffer, start: number, end: number): void {
    if (streamId === 0) throw protocolError("PRIORITY on stream 0");
    this.#connection.idle();
    if (end - start !== 5) {
      if (this.#connection.isIdleStream(streamId)) throw frameSizeError("PRIORITY of a wrong length");
      this.#streamError(streamId, ErrorCode.frameSizeError, "PRIORITY of a wrong length");
    } else if ((bytes.readUInt32BE(start) & 0x7fffffff) === streamId)
      this.#streamError(streamId, ErrorCode.protocolError, "the stream depends on itself");
  }

  #streamError(streamId: number, code: number, message: string): void {
    const stream = this.#connection.streams.get(streamId);
    if (stream !== undefined) this.#connection.resetForPeer(stream, code, message);
    else this.#connection.writer.rstStream(streamId, code);
  }

  /** §6.4. */
  onRstStream(streamId: number, bytes: Buffer, start: number, end: number): void {
    if (end - start !== 4) throw frameSizeError("RST_STREAM of a wrong length");
    const connection = this.#connection;
    const stream = connection.streams.get(streamId);
    if (stream === undefined) {
      if (streamId === 0 || connection.isIdleStream(streamId))
        throw protocolError(`RST_STREAM on stream ${streamId}, which is idle`);
      this.#closed.forget(streamId);
      connection.idle();
      return;
    }
    connection.countReset();
    const code = bytes.readUInt32BE(start);
    stream.close({
      code,
      message: `the peer reset the stream with ${errorName(code)}`,
      isRemote: true,
      isConnectionLost: false,
      isUnprocessed: code === ErrorCode.refusedStream,
    });
  }

  /** §6.5: what the peer asks for holds from here on, and is acknowledged (§6.5.3). */
  onSettings(flags: number, streamId: number, bytes: Buffer, start: number, end: number): void {
    const connection = this.#connection;
    if (streamId !== 0) throw protocolError("SETTINGS on a stream");
    if (flags & Flag.ack) {
      if (end > start) throw frameSizeError("SETTINGS with ACK and a payload");
      connection.unackedSettings--;
      connection.idle();
      return;
    }
    if ((end - start) % 6 !== 0) throw frameSizeError("SETTINGS of a wrong length");
    if (!connection.control.take()) throw overLimit(connection.limits, "too many SETTINGS", "controlBurst");
    const { peer, writer } = connection;
    const before = peer.initialWindowSize;
    applySettings(peer, bytes, start, end, !connection.isServer);
    writer.encoder.setPeerTableBytes(peer.headerTableSize);
    writer.settingsAck();
    connection.isReady = true;
    if (peer.initialWindowSize !== before) this.#moveWindows(peer.initialWindowSize - before);
    connection.onRoom();
  }

  /** §6.9.2: a new initial window moves those of the streams that are open. */
  #moveWindows(delta: number): void {
    for (const stream of this.#connection.streams.values())
      if (!stream.grant(delta))
        throw new ConnectionError(ErrorCode.flowControlError, "a stream's window is over 2^31-1");
  }

  /** §6.7. */
  onPing(flags: number, streamId: number, bytes: Buffer, start: number, end: number): void {
    const { control, keepalive, isServer, limits, writer } = this.#connection;
    if (streamId !== 0) throw protocolError("PING on a stream");
    if (end - start !== 8) throw frameSizeError("PING of a wrong length");
    if (flags & Flag.ack) {
      keepalive.acknowledged(bytes, start);
      this.#connection.idle();
      return;
    }
    if (!keepalive.isPingPaid && !control.take()) throw tooManyPings(limitsText(limits, "controlBurst"));
    if (!keepalive.isPingAllowed(isServer)) throw tooManyPings(keepalive.intervalText);
    writer.ping(bytes, start, true);
  }

  /** §6.8. */
  onGoaway(streamId: number, bytes: Buffer, start: number, end: number): void {
    if (streamId !== 0) throw protocolError("GOAWAY on a stream");
    if (end - start < 8) throw frameSizeError("GOAWAY of a wrong length");
    const { control, limits } = this.#connection;
    if (!control.take()) throw overLimit(limits, "too many GOAWAY", "controlBurst");
    this.#connection.isDraining = true;
    const message = bytes.toString("utf8", start + 8, Math.min(end, start + 1000));
    this.#connection.onGoaway(bytes.readUInt32BE(start) & 0x7fffffff, bytes.readUInt32BE(start + 4), message);
  }

  /** §6.9. */
  onWindowUpdate(streamId: number, bytes: Buffer, start: number, end: number): void {
    if (end - start !== 4) throw frameSizeError("WINDOW_UPDATE of a wrong length");
    const connection = this.#connection;
    const increment = bytes.readUInt32BE(start) & 0x7fffffff;
    connection.idle();
    if (streamId === 0) {
      if (increment === 0) throw protocolError("WINDOW_UPDATE of 0");
      connection.sendWindow += increment;
      if (connection.sendWindow > maxWindowBytes)
        throw new ConnectionError(ErrorCode.flowControlError, "the connection's window is over 2^31-1");
      connection.onWindow();
      return;
    }
    const stream = connection.streams.get(streamId);
    if (stream === undefined) {
      if (connection.isIdleStream(streamId)) throw protocolError(`WINDOW_UPDATE on stream ${streamId}, which is idle`);
    } else if (increment === 0) connection.resetForPeer(stream, ErrorCode.protocolError, "WINDOW_UPDATE of 0");
    else if (!stream.grant(increment))
      connection.resetForPeer(stream, ErrorCode.flowControlError, "the stream's window is over 2^31-1");
  }
}

/** The peer is told the words that gRPC clients look for (gRPC A8). */
function tooManyPings(limit: string): ConnectionError {
  return new ConnectionError(ErrorCode.enhanceYourCalm, `too many PINGs ${limit}`, "too_many_pings");
}
