import { GrpcStatus, MicroError } from "../errors.ts";
import { fieldOf } from "./call-fields.ts";
import { ErrorCode, errorName } from "./http2/protocol.ts";
import type { StreamClose } from "./http2/stream.ts";
import type { Status } from "./transport.ts";

/** Codes of RST_STREAM as gRPC statuses (gRPC over HTTP/2, Errors). */
const ofReset: Readonly<Record<number, number>> = {
  [ErrorCode.refusedStream]: GrpcStatus.unavailable,
  [ErrorCode.cancel]: GrpcStatus.cancelled,
  [ErrorCode.enhanceYourCalm]: GrpcStatus.resourceExhausted,
  [ErrorCode.inadequateSecurity]: GrpcStatus.permissionDenied,
};

/** HTTP statuses as gRPC statuses, when a server that isn't gRPC answers (gRPC http-grpc-status-mapping.md). */
const ofHttp: Readonly<Record<string, number>> = {
  400: GrpcStatus.internal,
  401: GrpcStatus.unauthenticated,
  403: GrpcStatus.permissionDenied,
  404: GrpcStatus.unimplemented,
  429: GrpcStatus.unavailable,
  502: GrpcStatus.unavailable,
  503: GrpcStatus.unavailable,
  504: GrpcStatus.unavailable,
};

/** The status of a call whose stream ended without one. A server that cancels a call after its deadline has only been faster than this side. */
export function statusOfClose(close: StreamClose | undefined, address: string, deadline?: Date): Status {
  if (close === undefined)
    return { code: GrpcStatus.internal, message: `${address} ended the call without a status`, trailers: {} };
  if (close.isConnectionLost || close.isUnprocessed) {
    const message = close.message.includes(address)
      ? close.message
      : `lost the connection to ${address}: ${close.message}`;
    return { code: GrpcStatus.unavailable, message, trailers: {}, lost: true };
  }
  if (close.code === ErrorCode.cancel && close.isRemote && deadline !== undefined && deadline.getTime() <= Date.now())
    return deadlinePassed;
  const code = (close.isRemote ? ofReset[close.code] : undefined) ?? GrpcStatus.internal;
  return { code, message: close.message || `the stream was reset with ${errorName(close.code)}`, trailers: {} };
}

/**
 * Why a response can't be gRPC's, or not in the format that was asked in; undefined when it can. A status from the server itself counts
 * whatever the HTTP status, when it is all there is.
 */
export function notGrpc(
  fields: readonly string[],
  isEnd: boolean,
  address: string,
  asked: string | undefined,
): Status | undefined {
  if (isEnd && fieldOf(fields, "grpc-status") !== undefined) return undefined;
  const status = fieldOf(fields, ":status") ?? "";
  const contentType = fieldOf(fields, "content-type") ?? "";
  if (status !== "200") {
    const code = ofHttp[status] ?? GrpcStatus.unknown;
    return { code, message: `${address} answered with HTTP status ${status}, not gRPC`, trailers: {} };
  }
  if (contentType === asked) return undefined;
  if (/^application\/(grpc|json|proto)/.test(contentType)) {
    if (asked === undefined || isJson(asked) === isJson(contentType)) return undefined;
    return {
      code: GrpcStatus.internal,
      message: `${address} answered a call of content type "${asked}" with "${contentType}"`,
      trailers: {},
    };
  }
  return {
    code: GrpcStatus.unknown,
    message: `${address} answered with content type "${contentType}", not gRPC`,
    trailers: {},
  };
}

function isJson(contentType: string): boolean {
  return contentType.includes("json");
}

export const deadlinePassed: Status = {
  code: GrpcStatus.deadlineExceeded,
  message: "the deadline passed before an answer came",
  trailers: {},
};

const callCancelled: Status = { code: GrpcStatus.cancelled, message: "the call was cancelled", trailers: {} };

/** The status that an aborted signal ends a call with. */
export function statusOfAbort(signal: AbortSignal | undefined): Status {
  const isTimeout = signal?.reason instanceof Error && signal.reason.name === "TimeoutError";
  return isTimeout ? deadlinePassed : callCancelled;
}

/** What the caller learns when the node a call was passed to went away. */
export function nodeLost(message: string): MicroError {
  return MicroError.unavailable("go.micro.proxy", `the service's node went away: ${message}. Try again`);
}
