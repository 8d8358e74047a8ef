import { ConnectionError, ErrorCode, maxFrameBytes, maxWindowBytes, Setting } from "./protocol.ts";

/** What the peer asked for in its SETTINGS (RFC 9113 §6.5.2), with the values that hold before it does. */
export interface PeerSettings {
  headerTableSize: number;
  /** Streams that this side may open at once; infinite unless said. */
  maxConcurrentStreams: number;
  initialWindowSize: number;
  maxHeaderListSize: number;
}

export function initialPeerSettings(): PeerSettings {
  return {
    headerTableSize: 4096,
    maxConcurrentStreams: Number.POSITIVE_INFINITY,
    initialWindowSize: 65_535,
    maxHeaderListSize: Number.POSITIVE_INFINITY,
  };
}

/** Takes over a SETTINGS payload, in order; unknown settings are ignored. Throws a ConnectionError for a value that isn't allowed. */
export function applySettings(
  settings: PeerSettings,
  bytes: Buffer,
  start: number,
  end: number,
  isFromServer: boolean,
): void {
  for (let at = start; at < end; at += 6) {
    const id = bytes.readUInt16BE(at);
    const value = bytes.readUInt32BE(at + 2);
    switch (id) {
      case Setting.headerTableSize:
        settings.headerTableSize = value;
        break;
      case Setting.enablePush:
        if (value > 1 || (isFromServer && value === 1)) throw invalid("ENABLE_PUSH", value);
        break;
      case Setting.maxConcurrentStreams:
        settings.maxConcurrentStreams = value;
        break;
      case Setting.initialWindowSize:
        if (value > maxWindowBytes) throw invalid("INITIAL_WINDOW_SIZE", value, ErrorCode.flowControlError);
        settings.initialWindowSize = value;
        break;
      case Setting.maxFrameSize:
        if (value < maxFrameBytes || value > 2 ** 24 - 1) throw invalid("MAX_FRAME_SIZE", value);
        break;
      case Setting.maxHeaderListSize:
        settings.maxHeaderListSize = value;
        break;
    }
  }
}

function invalid(name: string, value: number, code: number = ErrorCode.protocolError): ConnectionError {
  return new ConnectionError(code, `SETTINGS_${name} of ${value} is not allowed`);
}
