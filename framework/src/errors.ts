import { type ErrorCode, MicroError } from "@microts/core";
import { currentCall } from "./connection.ts";

function error(code: ErrorCode, detail: string): MicroError {
  const call = currentCall.getStore();
  return new MicroError(code, call === undefined ? "" : `${call.service}.${call.endpoint}`, detail);
}

/** Errors to throw from a handler; the caller gets the code and the detail, whatever surface it called from. */
export const errors = {
  /** 400 */
  badRequest: (detail: string) => error(400, detail),
  /** 401 */
  unauthorized: (detail: string) => error(401, detail),
  /** 403 */
  forbidden: (detail: string) => error(403, detail),
  /** 404 */
  notFound: (detail: string) => error(404, detail),
  /** 409 */
  conflict: (detail: string) => error(409, detail),
  /** 429 */
  tooManyRequests: (detail: string) => error(429, detail),
  /** 500 */
  internal: (detail: string) => error(500, detail),
  /** 503 */
  unavailable: (detail: string) => error(503, detail),
} as const;
