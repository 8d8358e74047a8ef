import type { Socket } from "node:net";
import { ClosedStreams } from "./closed-streams.ts";
import { FrameParser } from "./frame-parser.ts";
import { FrameWriter } from "./frame-writer.ts";
import { Inflow } from "./inflow.ts";
import { Keepalive, type KeepaliveOptions } from "./keepalive.ts";
import { Allowance, type Limits, limitsText, overLimit } from "./limits.ts";
import { Output } from "./output.ts";
import { ConnectionError, defaultWindowBytes, ErrorCode, errorName, Setting } from "./protocol.ts";
import { ReceivedFrames } from "./received-frames.ts";
import type { ReceivedHeaders, Receiver } from "./receiver.ts";
import { initialPeerSettings, type PeerSettings } from "./settings.ts";
import type { Stream, StreamClose } from "./stream.ts";
import { StreamTable } from "./stream-table.ts";
import { sweep, unsweep } from "./sweeper.ts";
import { Turns } from "./turns.ts";

export interface ConnectionOptions {
  readonly limits: Limits;
  readonly keepalive: KeepaliveOptions;
  /** Since when the peer's handshake is waited for. Default: since now. */
  readonly openedMs?: number;
}

/** The end of a connection that the peer closed without a GOAWAY or an error. */
export const closedWithoutReason = "the connection was closed";
/** A frame with a use stands against so many without. */
const idlePerUseful = 4;
/** Time for a peer to read the GOAWAY of a connection that failed. */
const lingerMs = 500;

/**
 * One HTTP/2 connection over a socket (RFC 9113), what both sides have in common: its state, the turns of its streams, and its end (§5.4.1,
 * §6.8). What comes in goes through `ReceivedFrames`. Never throws into the socket: a peer's mistake ends its stream or this connection.
 */
export abstract class Connection implements Receiver {
  readonly limits: Limits;
  readonly socket: Socket;
  readonly output: Output;
  readonly writer: FrameWriter;
  readonly streams = new StreamTable();
  readonly peer: PeerSettings = initialPeerSettings();
  /** Bytes that the peer takes on all streams together. */
  sendWindow = defaultWindowBytes;
  /** Bytes of messages being put together, counted by whoever does it. */
  assemblyBytes = 0;
  usefulFrames = 0;
  /** Set once the connection takes no more streams: by a GOAWAY of either side, or because it is gone. */
  isDraining = false;
  isClosed = false;
  /** Whether the peer has sent its SETTINGS. */
  isReady = false;
  /** The highest stream of the peer that this side has begun to work on. */
  lastPeerStreamId = 0;
  readonly keepalive: Keepalive;
  readonly inflow: Inflow;
  readonly control: Allowance;
  unackedSettings = 1;
  readonly #parser: FrameParser;
  readonly #received: ReceivedFrames;
  readonly #closed: ClosedStreams;
  readonly #openedMs: number;
  readonly #resets: Allowance;
  #idleFrames = 0;
  #unfinished: object | undefined;
  #unfinishedSinceMs = 0;
  readonly #turns: Turns;

  constructor(socket: Socket, options: ConnectionOptions) {
    const { limits } = options;
    this.limits = limits;
    this.#openedMs = options.openedMs ?? Date.now();
    this.socket = socket;
    this.output = new Output(socket, () => this.#turns.run());
    this.writer = new FrameWriter(this.output);
    this.inflow = new Inflow(this.writer, limits.connectionWindowBytes);
    this.#turns = new Turns(this);
    this.keepalive = new Keepalive(this, options.keepalive);
    this.#resets = new Allowance(limits.resetBurst, limits.resetsPerSecond);
    this.control = new Allowance(limits.controlBurst, limits.controlBurst / 10);
    this.#closed = new ClosedStreams(this);
    this.#received = new ReceivedFrames(this, this.#closed);
    this.#parser = new FrameParser(this.#received);
    socket.setNoDelay(true);
    socket.on("error", (error) => this.lost(error.message, error));
    socket.on("close", () => this.lost(closedWithoutReason));
    sweep(this);
  }

  abstract readonly isServer: boolean;
  abstract isIdleStream(streamId: number): boolean;
  abstract onHeaders(received: ReceivedHeaders): void;
  abstract onGoaway(lastStreamId: number, code: number, message: string): void;
  /** Called once, when the connection is gone. */
  protected abstract onLost(message: string, error: Error | undefined): void;
  /** This side ends the connection because of what the peer did. */
  protected onFailed(_code: number, _message: string): void {}
  /** This side has ended a stream that the peer hasn't. */
  abstract onLocalEnd(stream: Stream): void;
  abstract onRoom(): void;

  /** Announces this side's settings and window; the first frames on the connection. */
  protected start(settings: readonly number[]): void {
    const { streamWindowBytes, maxHeaderListBytes } = this.limits;
    const own = [Setting.initialWindowSize, streamWindowBytes, Setting.maxHeaderListSize, maxHeaderListBytes];
    this.writer.settings([...settings, ...own]);
    this.inflow.open();
  }

  /** Bytes from the socket. */
  receive(chunk: Buffer): void {
    if (this.isClosed) return;
    this.keepalive.heard();
    if (this.output.pendingBytes > this.limits.maxPendingBytes) {
      this.#cutOff();
      return;
    }
    try {
      this.#parser.push(chunk);
    } catch (error) {
      if (error instanceof ConnectionError) this.fail(error.code, error.message, error.debugData);
      else this.fail(ErrorCode.internalError, "internal error");
    }
  }

  /** Whether `bytes` of a stream may go at once: windows and the socket have room, and no other stream has waited longer. */
  canSend(bytes: number): boolean {
    return this.#turns.isEmpty && bytes <= this.sendWindow && !this.output.isFull;
  }

  /** Gives the stream its turns until all it has is sent. */
  queue(stream: Stream): void {
    this.#turns.add(stream);
  }

  /** The peer takes more on all streams together: those that wait go on. */
  onWindow(): void {
    this.#turns.run();
  }

  /** Counts a frame that nothing useful came with. Looks at the useful ones only at the limit: they are many and cost no more than a count. */
  idle(): void {
    const { idleFrameBurst } = this.limits;
    if (++this.#idleFrames <= idleFrameBurst) return;
    this.#idleFrames = Math.max(0, this.#idleFrames - idlePerUseful * this.usefulFrames);
    this.usefulFrames = 0;
    if (this.#idleFrames > idleFrameBurst)
      throw overLimit(this.limits, "too many frames without a use", "idleFrameBurst");
  }

  /** Only clients are held to it: what a server resets are this side's own calls. */
  countReset(): void {
    if (this.isServer && !this.#resets.take())
      throw overLimit(this.limits, "too many reset or refused calls", "resetBurst", "resetsPerSecond");
  }

  /** Counts like a reset of the peer itself: else it could have the work of as many calls as it likes (CVE-2025-8671). */
  resetForPeer(stream: Stream, code: number, message: string): void {
    this.countReset();
    stream.reset(code, message);
  }

  /** Received bytes have left a stream. */
  release(bytes: number): void {
    if (!this.isClosed) this.inflow.release(bytes);
  }

  /** This side is about to reset a stream. */
  onReset(stream: Stream): void {
    this.#closed.remember(stream.id);
  }

  onStreamClosed(stream: Stream): void {
    this.streams.delete(stream);
    if (!this.isClosed) this.onRoom();
  }

  /** Tells the peer that no further streams are taken (RFC 9113 §6.8). */
  goaway(code: number, message = "", lastStreamId = this.lastPeerStreamId): void {
    this.isDraining = true;
    if (!this.isClosed) this.writer.goaway(lastStreamId, code, message);
  }

  /** Ends the connection with GOAWAY because of what the peer did. */
  fail(code: number, message: string, debugData = message): void {
    if (this.isClosed) return;
    this.onFailed(code, message);
    this.goaway(code, debugData);
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

  #cutOff(): void {
    const message = `the peer doesn't read what it asked for ${limitsText(this.limits, "stallMs", "maxPendingBytes")}`;
    this.onFailed(ErrorCode.enhanceYourCalm, message);
    this.destroy(message);
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
    const { limits } = this;
    const { handshakeMs, stallMs } = limits;
    const isLate = (sinceMs: number, limitMs: number) => sinceMs > 0 && nowMs - sinceMs > limitMs;
    if ((!this.isReady || this.unackedSettings > 0) && isLate(this.#openedMs, handshakeMs))
      this.fail(ErrorCode.settingsTimeout, `no preface and settings in time ${limitsText(limits, "handshakeMs")}`);
    else if (isLate(this.#received.unfinishedSinceMs, handshakeMs))
      this.fail(
        ErrorCode.enhanceYourCalm,
        `a header block wasn't finished in time ${limitsText(limits, "handshakeMs")}`,
      );
    else if (this.#isFrameLate(nowMs))
      this.fail(ErrorCode.enhanceYourCalm, `a frame wasn't finished in time ${limitsText(limits, "stallMs")}`);
    else if (isLate(this.output.stalledSinceMs, stallMs)) this.#cutOff();
    else {
      for (const stream of this.streams.values())
        if (stream.isEnding && isLate(stream.stalledSinceMs, stallMs))
          stream.reset(ErrorCode.cancel, `the peer stopped reading ${limitsText(limits, "stallMs")}`);
      this.keepalive.check(nowMs);
    }
  }

  /** Looks only once a second, so that a frame in two pieces costs nothing for being watched. */
  #isFrameLate(nowMs: number): boolean {
    const { unfinished } = this.#parser;
    if (unfinished !== this.#unfinished) {
      this.#unfinished = unfinished;
      this.#unfinishedSinceMs = nowMs;
    }
    return unfinished !== undefined && nowMs - this.#unfinishedSinceMs > this.limits.stallMs;
  }
}
