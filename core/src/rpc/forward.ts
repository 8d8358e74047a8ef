import { GrpcStatus, MicroError } from "../errors.ts";
import type { Metadata } from "../metadata.ts";
import type { Connections } from "./http2-client.ts";
import { type ServerCall, StatusError } from "./transport.ts";

/**
 * Passes a call on to `address` without decoding it: messages both ways as they come, response headers, trailers and status unchanged,
 * cancellation and deadline carried over. Neither side waits for the other to speak first.
 */
export async function forward(
  call: ServerCall,
  connections: Connections,
  address: string,
  metadata: Metadata,
): Promise<void> {
  const { path, contentType, deadline, signal } = call;
  const next = connections.open(address, { path, contentType, metadata, deadline }, signal);
  // Not awaited: a caller of a server stream may never half-close. It never rejects and ends with the call.
  void pump(call, next);
  try {
    next.headers.then((headers) => call.sendHeaders(headers)).catch(() => {});
    for await (const message of next.responses) await call.send(message);
    const status = await next.status;
    if (status.lost)
      throw MicroError.unavailable("go.micro.proxy", `the service's node went away: ${status.message}. Try again`);
    if (status.code !== GrpcStatus.ok || Object.keys(status.trailers).length > 0) throw new StatusError(status);
  } finally {
    next.cancel();
  }
}

async function pump(call: ServerCall, next: ReturnType<Connections["open"]>): Promise<void> {
  try {
    for await (const message of call.requests) await next.send(message);
    next.end();
  } catch {
    // Either side went away: the status of the call says so.
  }
}
