import type { Socket } from "node:net";
import { HpackDecoder, HpackError } from "../hpack/index.ts";
import { FrameParser, type FrameSink } from "./frame-parser.ts";
import { FrameWriter } from "./frame-writer.ts";
import { HeaderBlock } from "./header-block.ts";
import { Inflow } from "./inflow.ts";
import { Keepalive, type KeepaliveOptions } from "./keepalive.ts";
import { Allowance, type Limits } from "./limits.ts";
import { Output } from "./output.ts";
import {
  ConnectionError,
  defaultWindowBytes,
  ErrorCode,
  errorName,
  Flag,
  FrameType,
  maxWindowBytes,
  Setting,
} from "./protocol.ts";
import { applySettings, initialPeerSettings, type PeerSettings } from "./settings.ts";
import type { Stream, StreamClose, StreamOwner } from "./stream.ts";
import { sweep, unsweep } from "./sweeper.ts";
import { Turns } from "./turns.ts";

export interface ConnectionOptions {
  readonly limits: Limits;
  readonly keepalive: KeepaliveOptions;
}

/** A decoded header block, or why there is none. */
export interface ReceivedHeaders {
  readonly streamId: number;
  /** Undefined when the list is over the limit. */
  readonly fields: string[] | undefined;
  /** Why the list can't be part of a message (RFC 9113 §8.1.1). */
  readonly malformed: string | undefined;
  readonly isEnd: boolean;
}

/** Streams that this side has reset, for so many of which frames on their way are ignored. */
const rememberedResets = 256;
/** A frame with a use stands against so many without. */
const idlePerUseful = 4;
/** Time for a peer to read the GOAWAY of a connection that failed. */
const lingerMs = 500;

/**
 * One HTTP/2 connection over a socket (RFC 9113), what both sides have in common: frames in, settings, flow control, the turns of its
 * streams, keepalive and the end. Never throws into the socket: a peer's mistake ends its stream or this connection.
 */
export abstract class Connection implements FrameSink, StreamOwner {
  readonly limits: Limits;
  readonly socket: Socket;
  readonly output: Output;
  readonly writer: FrameWriter;
  readonly streams = new Map<number, Stream>();
  readonly peer: PeerSettings = initialPeerSettings();
  /** Bytes that the peer takes on all streams together. */
  sendWindow = defaultWindowBytes;
  /** Bytes of messages being put together, counted by whoever does it. */
  assemblyBytes = 0;
  /** Set once the connection takes no more streams: by a GOAWAY of either side, or because it is gone. */
  isDraining = false;
  isClosed = false;
  /** Whether the peer has sent its SETTINGS. */
  isReady = false;
  /** The highest stream of the peer that this side has begun to work on. */
  lastPeerStreamId = 0;
  readonly keepalive: Keepalive;
  protected readonly resets: Allowance;
  readonly #parser: FrameParser;
  readonly #decoder = new HpackDecoder();
  readonly #control: Allowance;
  readonly #openedMs = Date.now();
  #block: HeaderBlock | undefined;
  #unackedSettings = 1;
  #idleFrames = 0;
  readonly #inflow: Inflow;
  readonly #turns: Turns;
  readonly #resetIds = new Set<number>();

  constructor(socket: Socket, options: ConnectionOptions) {
    const { limits } = options;
    this.limits = limits;
    this.socket = socket;
    this.output = new Output(socket, () => this.#turns.run());
    this.writer = new FrameWriter(this.output);
    this.#inflow = new Inflow(this.writer, limits.connectionWindowBytes);
    this.#turns = new Turns(this);
    this.keepalive = new Keepalive(this, options.keepalive);
    this.resets = new Allowance(limits.resetBurst, limits.resetsPerSecond);
    this.#control = new Allowance(limits.controlBurst, limits.controlBurst / 10);
    this.#parser = new FrameParser(this);
    socket.setNoDelay(true);
    socket.on("error", (error) => this.lost(error.message, error));
    socket.on("close", () => this.lost("the connection was closed"));
    sweep(this);
  }

  protected abstract readonly isServer: boolean;
  /** A whole header block came on a stream; throws a ConnectionError. */
  protected abstract onHeaders(received: ReceivedHeaders): void;
  /** Called when a GOAWAY came. */
  protected abstract onGoaway(lastStreamId: number, code: number, message: string): void;
  /** Called once, when the connection is gone. */
  protected abstract onLost(message: string, error: Error | undefined): void;
  /** This side has ended a stream that the peer hasn't. */
  abstract onLocalEnd(stream: Stream): void;
  /** Something about the number of streams or the peer's settings changed. */
  protected abstract onRoom(): void;

  /** Announces this side's settings and window; the first frames on the connection. */
  protected start(settings: readonly number[]): void {
    const { streamWindowBytes, maxHeaderListBytes } = this.limits;
    const own = [Setting.initialWindowSize, streamWindowBytes, Setting.maxHeaderListSize, maxHeaderListBytes];
    this.writer.settings([...settings, ...own]);
    this.#inflow.open();
  }

  /** Bytes from the socket. */
  receive(chunk: Buffer): void {
    if (this.isClosed) return;
    this.keepalive.heard();
    try {
      this.#parser.push(chunk);
    } catch (error) {
      if (error instanceof ConnectionError) this.fail(error.code, error.message);
      else this.fail(ErrorCode.internalError, "internal error");
    }
  }

  onFrame(type: number, flags: number, streamId: number, bytes: Buffer, start: number, end: number): void {
    if (this.#block !== undefined && (type !== FrameType.continuation || streamId !== this.#block.streamId))
      throw protocolError("a header block was interrupted by another frame");
    if (!this.isReady && (type !== FrameType.settings || flags & Flag.ack))
      throw protocolError("the first frame was not SETTINGS");
    switch (type) {
      case FrameType.data:
        this.#onData(flags, streamId, bytes, start, end);
        break;
      case FrameType.headers:
        this.#onHeadersFrame(flags, streamId, bytes, start, end);
        break;
      case FrameType.windowUpdate:
        this.#onWindowUpdate(streamId, bytes, start, end);
        break;
      case FrameType.rstStream:
        this.#onRstStream(streamId, bytes, start, end);
        break;
      case FrameType.settings:
        this.#onSettings(flags, streamId, bytes, start, end);
        break;
      case FrameType.ping:
        this.#onPing(flags, streamId, bytes, start, end);
        break;
      case FrameType.continuation:
        this.#onContinuation(flags, streamId, bytes, start, end);
        break;
      case FrameType.priority:
        this.#onPriority(streamId, bytes, start, end);
        break;
      case FrameType.goaway:
        this.#onGoawayFrame(streamId, bytes, start, end);
        break;
      case FrameType.pushPromise:
        throw protocolError("PUSH_PROMISE is not accepted");
      default:
        this.#idle();
    }
  }

  #onData(flags: number, streamId: number, bytes: Buffer, start: number, end: number): void {
    const length = end - start;
    let dataEnd = end;
    let dataStart = start;
    if (flags & Flag.padded) {
      dataStart++;
      dataEnd -= paddingOf(bytes, start, end);
      if (dataEnd < dataStart) throw protocolError("padding is longer than the frame");
    }
    this.#inflow.received(length);
    const isEnd = (flags & Flag.endStream) !== 0;
    const stream = this.streams.get(streamId);
    if (length > 0) this.useful();
    else if (!isEnd) this.#idle();
    if (stream === undefined || stream.isRemoteEnded) {
      this.#inflow.grant(length);
      this.#onClosedStream(streamId, stream, "DATA");
      return;
    }
    stream.receiveWindow -= length;
    if (stream.receiveWindow < 0) {
      this.#inflow.grant(length);
      stream.reset(ErrorCode.flowControlError, "the stream's window was exceeded");
      return;
    }
    const dataBytes = dataEnd - dataStart;
    stream.received(dataBytes);
    this.#inflow.hold(dataBytes);
    this.#inflow.grant(length);
    if (length > dataBytes) stream.consumed(length - dataBytes);
    if (!this.#isAsAnnounced(stream, dataBytes, isEnd)) return;
    if (dataBytes > 0) stream.events.onData(bytes, dataStart, dataEnd);
    if (isEnd && !stream.isClosed) stream.remoteEnd(undefined);
  }

  /** Whether the body still agrees with its content-length (RFC 9113 §8.1.1); if not, resets the stream. */
  #isAsAnnounced(stream: Stream, bytes: number, isEnd: boolean): boolean {
    if (stream.expectedBytes === undefined) return true;
    stream.expectedBytes -= bytes;
    if (stream.expectedBytes >= 0 && !(isEnd && stream.expectedBytes > 0)) return true;
    stream.reset(ErrorCode.protocolError, "the body's length differs from content-length");
    return false;
  }

  /** A frame for a stream that is over or never was (RFC 9113 §5.1). */
  #onClosedStream(streamId: number, stream: Stream | undefined, frame: string): void {
    if (streamId === 0 || this.isIdleStream(streamId))
      throw protocolError(`${frame} on stream ${streamId}, which is idle`);
    if (stream !== undefined) {
      stream.reset(ErrorCode.streamClosed, `${frame} after END_STREAM`);
      return;
    }
    if (this.#resetIds.has(streamId)) {
      this.#idle();
      return;
    }
    if (!this.#control.take()) throw calm("frames on closed streams");
    this.writer.rstStream(streamId, ErrorCode.streamClosed);
    this.#remember(streamId);
  }

  /** Whether nobody has opened the stream yet. */
  protected abstract isIdleStream(streamId: number): boolean;

  #onHeadersFrame(flags: number, streamId: number, bytes: Buffer, start: number, end: number): void {
    if (streamId === 0) throw protocolError("HEADERS on stream 0");
    this.useful();
    let from = start;
    let to = end;
    if (flags & Flag.padded) {
      from++;
      to -= paddingOf(bytes, start, end);
    }
    let dependency: number | undefined;
    if (flags & Flag.priority) {
      if (to - from < 5) throw new ConnectionError(ErrorCode.frameSizeError, "HEADERS without its priority fields");
      dependency = bytes.readUInt32BE(from) & 0x7fffffff;
      from += 5;
    }
    if (to < from) throw protocolError("padding is longer than the frame");
    const isEnd = (flags & Flag.endStream) !== 0;
    if (flags & Flag.endHeaders) {
      this.#decode(streamId, isEnd, dependency === streamId, bytes, from, to);
      return;
    }
    this.#block = new HeaderBlock(streamId, isEnd, dependency === streamId, this.limits);
    this.#block.add(bytes, from, to);
  }

  #onContinuation(flags: number, streamId: number, bytes: Buffer, start: number, end: number): void {
    const block = this.#block;
    if (block === undefined) throw protocolError(`CONTINUATION on stream ${streamId} without HEADERS`);
    block.add(bytes, start, end);
    if (!(flags & Flag.endHeaders)) return;
    this.#block = undefined;
    const whole = block.bytes();
    this.#decode(streamId, block.isEnd, block.dependsOnItself, whole, 0, whole.length);
  }

  #decode(streamId: number, isEnd: boolean, isSelfDependent: boolean, bytes: Buffer, from: number, to: number): void {
    const { maxHeaderListBytes, maxHeaderFields } = this.limits;
    let fields: string[] | undefined;
    try {
      fields = this.#decoder.decode(bytes, from, to, maxHeaderListBytes, maxHeaderFields);
    } catch (error) {
      if (error instanceof HpackError) throw new ConnectionError(ErrorCode.compressionError, error.message);
      throw error;
    }
    const malformed = isSelfDependent ? "the stream depends on itself" : this.#decoder.malformed;
    const stream = this.streams.get(streamId);
    if (stream?.isRemoteEnded) this.#onClosedStream(streamId, stream, "HEADERS");
    else if (stream === undefined && !this.isIdleStream(streamId)) this.#onLateHeaders(streamId);
    else this.onHeaders({ streamId, fields, malformed, isEnd });
  }

  /** Headers on a stream that is over: in order only when this side has reset it while they were on their way. */
  #onLateHeaders(streamId: number): void {
    if (!this.isServer || this.#resetIds.has(streamId)) this.#idle();
    else throw new ConnectionError(ErrorCode.streamClosed, `HEADERS on stream ${streamId}, which is closed`);
  }

  #onWindowUpdate(streamId: number, bytes: Buffer, start: number, end: number): void {
    if (end - start !== 4) throw new ConnectionError(ErrorCode.frameSizeError, "WINDOW_UPDATE of a wrong length");
    const increment = bytes.readUInt32BE(start) & 0x7fffffff;
    this.#idle();
    if (streamId === 0) {
      if (increment === 0) throw protocolError("WINDOW_UPDATE of 0");
      this.sendWindow += increment;
      if (this.sendWindow > maxWindowBytes)
        throw new ConnectionError(ErrorCode.flowControlError, "the connection's window is over 2^31-1");
      this.#turns.run();
      return;
    }
    const stream = this.streams.get(streamId);
    if (stream === undefined) {
      if (this.isIdleStream(streamId)) throw protocolError(`WINDOW_UPDATE on stream ${streamId}, which is idle`);
    } else if (increment === 0) stream.reset(ErrorCode.protocolError, "WINDOW_UPDATE of 0");
    else if (!stream.grant(increment)) stream.reset(ErrorCode.flowControlError, "the stream's window is over 2^31-1");
  }

  #onRstStream(streamId: number, bytes: Buffer, start: number, end: number): void {
    if (end - start !== 4) throw new ConnectionError(ErrorCode.frameSizeError, "RST_STREAM of a wrong length");
    const stream = this.streams.get(streamId);
    if (stream === undefined) {
      if (streamId === 0 || this.isIdleStream(streamId))
        throw protocolError(`RST_STREAM on stream ${streamId}, which is idle`);
      // Nothing of it can be on its way any longer.
      this.#resetIds.delete(streamId);
      this.#idle();
      return;
    }
    if (this.isServer && !this.resets.take()) throw calm("resets");
    const code = bytes.readUInt32BE(start);
    stream.close({
      code,
      message: `the peer reset the stream with ${errorName(code)}`,
      isRemote: true,
      isConnectionLost: false,
      isUnprocessed: code === ErrorCode.refusedStream,
    });
  }

  #onSettings(flags: number, streamId: number, bytes: Buffer, start: number, end: number): void {
    if (streamId !== 0) throw protocolError("SETTINGS on a stream");
    if (flags & Flag.ack) {
      if (end > start) throw new ConnectionError(ErrorCode.frameSizeError, "SETTINGS with ACK and a payload");
      this.#unackedSettings--;
      return;
    }
    if ((end - start) % 6 !== 0) throw new ConnectionError(ErrorCode.frameSizeError, "SETTINGS of a wrong length");
    if (!this.#control.take()) throw calm("SETTINGS");
    const { peer } = this;
    const before = peer.initialWindowSize;
    applySettings(peer, bytes, start, end, !this.isServer);
    this.writer.encoder.setPeerTableBytes(peer.headerTableSize);
    this.writer.settingsAck();
    this.isReady = true;
    if (peer.initialWindowSize !== before) this.#moveWindows(peer.initialWindowSize - before);
    this.onRoom();
  }

  #moveWindows(delta: number): void {
    for (const stream of this.streams.values())
      if (!stream.grant(delta))
        throw new ConnectionError(ErrorCode.flowControlError, "a stream's window is over 2^31-1");
  }

  #onPing(flags: number, streamId: number, bytes: Buffer, start: number, end: number): void {
    if (streamId !== 0) throw protocolError("PING on a stream");
    if (end - start !== 8) throw new ConnectionError(ErrorCode.frameSizeError, "PING of a wrong length");
    if (flags & Flag.ack) {
      this.keepalive.acknowledged(bytes, start);
      return;
    }
    if (!this.#control.take() || !this.keepalive.isPingAllowed(this.isServer)) throw tooManyPings();
    this.writer.ping(bytes, start, true);
  }

  #onPriority(streamId: number, bytes: Buffer, start: number, end: number): void {
    if (streamId === 0) throw protocolError("PRIORITY on stream 0");
    this.#idle();
    if (end - start !== 5) {
      if (this.isIdleStream(streamId))
        throw new ConnectionError(ErrorCode.frameSizeError, "PRIORITY of a wrong length");
      this.#streamError(streamId, ErrorCode.frameSizeError, "PRIORITY of a wrong length");
    } else if ((bytes.readUInt32BE(start) & 0x7fffffff) === streamId)
      this.#streamError(streamId, ErrorCode.protocolError, "the stream depends on itself");
  }

  #streamError(streamId: number, code: number, message: string): void {
    const stream = this.streams.get(streamId);
    if (stream !== undefined) stream.reset(code, message);
    else this.writer.rstStream(streamId, code);
  }

  #onGoawayFrame(streamId: number, bytes: Buffer, start: number, end: number): void {
    if (streamId !== 0) throw protocolError("GOAWAY on a stream");
    if (end - start < 8) throw new ConnectionError(ErrorCode.frameSizeError, "GOAWAY of a wrong length");
    this.isDraining = true;
    const message = bytes.toString("utf8", start + 8, Math.min(end, start + 1000));
    this.onGoaway(bytes.readUInt32BE(start) & 0x7fffffff, bytes.readUInt32BE(start + 4), message);
  }

  /** Whether `bytes` of a stream may go at once: windows and the socket have room, and no other stream has waited longer. */
  canSend(bytes: number): boolean {
    return this.#turns.isEmpty && bytes <= this.sendWindow && !this.output.isFull;
  }

  /** Gives the stream its turns until all it has is sent. */
  queue(stream: Stream): void {
    this.#turns.add(stream);
  }

  /** Counts a frame that nothing useful came with. */
  #idle(): void {
    if (++this.#idleFrames > this.limits.idleFrameBurst) throw calm("frames without a use");
  }

  /** Counts a useful frame, sent or received. */
  useful(): void {
    this.#idleFrames = this.#idleFrames > idlePerUseful ? this.#idleFrames - idlePerUseful : 0;
  }

  /** Received bytes have left a stream. */
  release(bytes: number): void {
    if (!this.isClosed) this.#inflow.release(bytes);
  }

  /** This side is about to reset a stream. */
  onReset(stream: Stream): void {
    this.#remember(stream.id);
  }

  onStreamClosed(stream: Stream): void {
    this.streams.delete(stream.id);
    if (!this.isClosed) this.onRoom();
  }

  #remember(streamId: number): void {
    this.#resetIds.add(streamId);
    if (this.#resetIds.size <= rememberedResets) return;
    for (const oldest of this.#resetIds) {
      this.#resetIds.delete(oldest);
      break;
    }
  }

  /** Tells the peer that no further streams are taken (RFC 9113 §6.8). */
  goaway(code: number, message = "", lastStreamId = this.lastPeerStreamId): void {
    this.isDraining = true;
    if (!this.isClosed) this.writer.goaway(lastStreamId, code, message);
  }

  /** Ends the connection with GOAWAY because of what the peer did. */
  fail(code: number, message: string): void {
    if (this.isClosed) return;
    this.goaway(code, message);
    this.end(`${errorName(code)}: ${message}`);
  }

  /** Writes what waits, closes the socket and ends all streams. */
  end(message: string): void {
    if (this.isClosed) return;
    this.output.flush();
    this.output.end();
    setTimeout(() => this.socket.destroy(), lingerMs).unref();
    this.lost(message);
  }

  /** Cuts the connection. */
  destroy(message: string): void {
    this.lost(message);
    this.socket.destroy();
  }

  /** The connection is gone. */
  protected lost(message: string, error?: Error): void {
    if (this.isClosed) return;
    this.isClosed = this.isDraining = true;
    this.#parser.stop();
    this.output.destroy();
    this.#turns.clear();
    unsweep(this);
    const close: StreamClose = {
      code: ErrorCode.cancel,
      message,
      isRemote: true,
      isConnectionLost: true,
      isUnprocessed: false,
    };
    for (const stream of this.streams.values()) stream.close(close);
    this.streams.clear();
    this.onLost(message, error);
  }

  /** Once a second: what took too long. */
  onSweep(nowMs: number): void {
    const { handshakeMs, stallMs, maxPendingBytes } = this.limits;
    const { pendingBytes, lastProgressMs } = this.output;
    const isLate = (sinceMs: number, limitMs: number) => sinceMs > 0 && nowMs - sinceMs > limitMs;
    if ((!this.isReady || this.#unackedSettings > 0) && isLate(this.#openedMs, handshakeMs))
      this.fail(ErrorCode.settingsTimeout, "no preface and settings in time");
    else if (isLate(this.#block?.sinceMs ?? 0, handshakeMs))
      this.fail(ErrorCode.enhanceYourCalm, "a header block wasn't finished in time");
    else if (pendingBytes > maxPendingBytes || (pendingBytes > 0 && isLate(lastProgressMs, stallMs)))
      this.destroy("the peer doesn't read what it asked for");
    else {
      for (const stream of this.streams.values())
        if (stream.isEnding && isLate(stream.stalledSinceMs, stallMs))
          stream.reset(ErrorCode.cancel, "the peer stopped reading");
      this.keepalive.check(nowMs);
    }
  }
}

function paddingOf(bytes: Buffer, start: number, end: number): number {
  const padding = bytes[start];
  if (padding === undefined || start === end)
    throw new ConnectionError(ErrorCode.frameSizeError, "a padded frame without padding length");
  return padding;
}

function protocolError(message: string): ConnectionError {
  return new ConnectionError(ErrorCode.protocolError, message);
}

function calm(what: string): ConnectionError {
  return new ConnectionError(ErrorCode.enhanceYourCalm, `too many ${what}`);
}

function tooManyPings(): ConnectionError {
  // The text that gRPC clients look for (gRPC A8).
  return new ConnectionError(ErrorCode.enhanceYourCalm, "too_many_pings");
}
