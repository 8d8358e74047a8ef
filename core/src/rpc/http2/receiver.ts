import type { Inflow } from "./inflow.ts";
import type { Keepalive } from "./keepalive.ts";
import type { Allowance } from "./limits.ts";
import type { PeerSettings } from "./settings.ts";
import type { Stream, StreamOwner } from "./stream.ts";
import type { Streams } from "./stream-table.ts";

/** A decoded header block, or why there is none. */
export interface ReceivedHeaders {
  readonly streamId: number;
  /** Undefined when the list is over the limit. */
  readonly fields: string[] | undefined;
  /** Why the list can't be part of a message (RFC 9113 §8.1.1). */
  readonly malformed: string | undefined;
  readonly isEnd: boolean;
}

/** What the frames that come in need of their connection. What the peer does wrong is thrown as a ConnectionError. */
export interface Receiver extends StreamOwner {
  readonly isServer: boolean;
  readonly streams: Streams;
  readonly peer: PeerSettings;
  readonly keepalive: Keepalive;
  readonly inflow: Inflow;
  /** PING, SETTINGS and other frames that this side has to answer. */
  readonly control: Allowance;
  /** Whether the peer has sent its SETTINGS. */
  isReady: boolean;
  /** SETTINGS of this side that the peer hasn't acknowledged. */
  unackedSettings: number;
  isDraining: boolean;
  /** Whether nobody has opened the stream yet (RFC 9113 §5.1). */
  isIdleStream(streamId: number): boolean;
  /** Counts a frame that nothing useful came with. */
  idle(): void;
  /** Counts a stream that the peer resets or makes this side reset; throws when a client does so too often. */
  countReset(): void;
  /** Resets a stream because of what the peer did on it. */
  resetForPeer(stream: Stream, code: number, message: string): void;
  /** A whole header block came on a stream. */
  onHeaders(received: ReceivedHeaders): void;
  onGoaway(lastStreamId: number, code: number, message: string): void;
  /** The peer takes more on all streams together. */
  onWindow(): void;
  /** Something about the number of streams or the peer's settings changed. */
  onRoom(): void;
}
