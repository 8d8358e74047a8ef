/** Names and numbers of HTTP/2 (RFC 9113 §6, §7, §6.5.2). */

export const FrameType = {
  data: 0,
  headers: 1,
  priority: 2,
  rstStream: 3,
  settings: 4,
  pushPromise: 5,
  ping: 6,
  goaway: 7,
  windowUpdate: 8,
  continuation: 9,
} as const;

export const Flag = { endStream: 0x1, ack: 0x1, endHeaders: 0x4, padded: 0x8, priority: 0x20 } as const;

export const ErrorCode = {
  noError: 0x0,
  protocolError: 0x1,
  internalError: 0x2,
  flowControlError: 0x3,
  settingsTimeout: 0x4,
  streamClosed: 0x5,
  frameSizeError: 0x6,
  refusedStream: 0x7,
  cancel: 0x8,
  compressionError: 0x9,
  connectError: 0xa,
  enhanceYourCalm: 0xb,
  inadequateSecurity: 0xc,
  http11Required: 0xd,
} as const;

const errorNames: Readonly<Record<number, string>> = {
  0: "NO_ERROR",
  1: "PROTOCOL_ERROR",
  2: "INTERNAL_ERROR",
  3: "FLOW_CONTROL_ERROR",
  4: "SETTINGS_TIMEOUT",
  5: "STREAM_CLOSED",
  6: "FRAME_SIZE_ERROR",
  7: "REFUSED_STREAM",
  8: "CANCEL",
  9: "COMPRESSION_ERROR",
  10: "CONNECT_ERROR",
  11: "ENHANCE_YOUR_CALM",
  12: "INADEQUATE_SECURITY",
  13: "HTTP_1_1_REQUIRED",
};

export function errorName(code: number): string {
  return errorNames[code] ?? `error 0x${code.toString(16)}`;
}

export const Setting = {
  headerTableSize: 1,
  enablePush: 2,
  maxConcurrentStreams: 3,
  initialWindowSize: 4,
  maxFrameSize: 5,
  maxHeaderListSize: 6,
} as const;

/** What a client sends first (RFC 9113 §3.4). */
export const preface = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "latin1");

export const frameHeaderBytes = 9;
/** The largest frame that a side takes unless it announced more; this side never does. */
export const maxFrameBytes = 16_384;
export const defaultWindowBytes = 65_535;
export const maxWindowBytes = 2 ** 31 - 1;
export const maxStreamId = 2 ** 31 - 1;

/**
 * What stands in front of a piece of a body: nothing, or gRPC's prefix of a message that is the whole piece (gRPC over HTTP/2,
 * Length-Prefixed-Message). A number, so that nothing has to be made for each message.
 */
export const Prefix = { none: -1, plain: 0, compressed: 1 } as const;
export type Prefix = (typeof Prefix)[keyof typeof Prefix];
export const prefixBytes = 5;

/** Ends the whole connection with GOAWAY (RFC 9113 §5.4.1). */
export class ConnectionError extends Error {
  readonly code: number;
  /** What the peer is told. */
  readonly debugData: string;

  constructor(code: number, message: string, debugData = message) {
    super(message);
    this.name = "ConnectionError";
    this.code = code;
    this.debugData = debugData;
  }
}

/** PROTOCOL_ERROR: the peer broke a rule. */
export function protocolError(message: string): ConnectionError {
  return new ConnectionError(ErrorCode.protocolError, message);
}

/** FRAME_SIZE_ERROR: a frame's length can't be right. */
export function frameSizeError(message: string): ConnectionError {
  return new ConnectionError(ErrorCode.frameSizeError, message);
}
