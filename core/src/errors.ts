/**
 * The one error of the platform. Its four fields are Micro's `errors.Error` (wire §4); `code` is an HTTP status from a closed set and
 * decides everything else: the gRPC status on the wire, the HTTP status at the gateway, the exit code of the command line.
 */
const statusTexts = {
  400: "Bad Request",
  401: "Unauthorized",
  403: "Forbidden",
  404: "Not Found",
  405: "Method Not Allowed",
  408: "Request Timeout",
  409: "Conflict",
  412: "Precondition Failed",
  413: "Request Entity Too Large",
  414: "Request URI Too Long",
  415: "Unsupported Media Type",
  429: "Too Many Requests",
  431: "Request Header Fields Too Large",
  499: "Client Closed Request",
  500: "Internal Server Error",
  501: "Not Implemented",
  502: "Bad Gateway",
  503: "Service Unavailable",
  504: "Gateway Timeout",
  507: "Insufficient Storage",
} as const;

export type ErrorCode = keyof typeof statusTexts;

/** Micro's error as it stands in JSON, on the wire and in HTTP bodies. */
export interface ErrorBody {
  readonly id: string;
  readonly code: number;
  readonly detail: string;
  readonly status: string;
}

export class MicroError extends Error {
  /** Where it arose: `service.Handler.Method`, or the part of the platform. */
  readonly id: string;
  readonly code: ErrorCode;
  /** What went wrong and what to do about it, in one or two sentences. */
  readonly detail: string;

  constructor(code: ErrorCode, id: string, detail: string, options?: ErrorOptions) {
    super(detail, options);
    this.name = "MicroError";
    this.id = id;
    // A service of untyped code may throw anything; the wire must still carry it.
    this.code = isErrorCode(code) ? code : 500;
    this.detail = detail;
  }

  /** The HTTP reason phrase of `code`. */
  get status(): string {
    return statusTexts[this.code];
  }

  toJSON(): ErrorBody {
    return { id: this.id, code: this.code, detail: this.detail, status: this.status };
  }

  static badRequest(id: string, detail: string): MicroError {
    return new MicroError(400, id, detail);
  }
  static unauthorized(id: string, detail: string): MicroError {
    return new MicroError(401, id, detail);
  }
  static forbidden(id: string, detail: string): MicroError {
    return new MicroError(403, id, detail);
  }
  static notFound(id: string, detail: string): MicroError {
    return new MicroError(404, id, detail);
  }
  static timeout(id: string, detail: string): MicroError {
    return new MicroError(408, id, detail);
  }
  static conflict(id: string, detail: string): MicroError {
    return new MicroError(409, id, detail);
  }
  static tooLarge(id: string, detail: string): MicroError {
    return new MicroError(413, id, detail);
  }
  static internal(id: string, detail: string): MicroError {
    return new MicroError(500, id, detail);
  }
  static notImplemented(id: string, detail: string): MicroError {
    return new MicroError(501, id, detail);
  }
  static unavailable(id: string, detail: string): MicroError {
    return new MicroError(503, id, detail);
  }

  /** Turns anything caught into a MicroError, keeping the original as `cause`. An unknown error is a 500; an abort is a 499, a timed-out signal a 408. */
  static from(reason: unknown, id: string): MicroError {
    if (reason instanceof MicroError) return reason;
    if (reason instanceof Error) {
      if (reason.name === "TimeoutError") return new MicroError(408, id, "the deadline passed", { cause: reason });
      if (reason.name === "AbortError") return new MicroError(499, id, "the call was cancelled", { cause: reason });
      return new MicroError(500, id, reason.message || reason.name, { cause: reason });
    }
    return new MicroError(500, id, String(reason));
  }

  /** The error a JSON text or body stands for, or undefined when it isn't one (`code` missing or not positive). */
  static parse(body: unknown): MicroError | undefined {
    if (typeof body !== "object" || body === null) return undefined;
    const { id, code, detail } = body as Partial<Record<keyof ErrorBody, unknown>>;
    if (typeof code !== "number" || code <= 0) return undefined;
    return new MicroError(isErrorCode(code) ? code : 500, String(id ?? ""), String(detail ?? ""));
  }
}

export function isErrorCode(code: number): code is ErrorCode {
  return Object.hasOwn(statusTexts, code);
}

/** gRPC status codes, by their numbers (grpc/doc/statuscodes.md). */
export const GrpcStatus = {
  ok: 0,
  cancelled: 1,
  unknown: 2,
  invalidArgument: 3,
  deadlineExceeded: 4,
  notFound: 5,
  alreadyExists: 6,
  permissionDenied: 7,
  resourceExhausted: 8,
  failedPrecondition: 9,
  aborted: 10,
  outOfRange: 11,
  unimplemented: 12,
  internal: 13,
  unavailable: 14,
  dataLoss: 15,
  unauthenticated: 16,
} as const;

const toGrpc: Readonly<Partial<Record<ErrorCode, number>>> = {
  400: GrpcStatus.invalidArgument,
  401: GrpcStatus.unauthenticated,
  403: GrpcStatus.permissionDenied,
  404: GrpcStatus.notFound,
  408: GrpcStatus.deadlineExceeded,
  409: GrpcStatus.alreadyExists,
  412: GrpcStatus.failedPrecondition,
  413: GrpcStatus.resourceExhausted,
  429: GrpcStatus.resourceExhausted,
  499: GrpcStatus.cancelled,
  500: GrpcStatus.internal,
  501: GrpcStatus.unimplemented,
  503: GrpcStatus.unavailable,
  504: GrpcStatus.deadlineExceeded,
  507: GrpcStatus.resourceExhausted,
};

const fromGrpc: readonly ErrorCode[] = [
  500, 499, 500, 400, 408, 404, 409, 403, 429, 412, 409, 400, 501, 500, 503, 500, 401,
];

/** The gRPC status a Micro error code travels as (wire §4); codes without one are Unknown (2). */
export function grpcStatusOf(code: ErrorCode): number {
  return toGrpc[code] ?? GrpcStatus.unknown;
}

/** The Micro error code for a gRPC status that came without a Micro error in its message. */
export function codeOfGrpcStatus(status: number): ErrorCode {
  return fromGrpc[status] ?? 500;
}
