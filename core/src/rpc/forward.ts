import { GrpcStatus } from "../errors.ts";
import type { Metadata } from "../metadata.ts";
import { nodeLost } from "./call-status.ts";
import type { Connections } from "./connections.ts";
import { type MetadataChanges, RawForward } from "./raw-forward.ts";
import { Http2ServerCall } from "./server-call.ts";
import { type ServerCall, StatusError } from "./transport.ts";

/**
 * Passes a call on to `address` without decoding it: response headers, trailers and status unchanged, cancellation and deadline carried
 * over, metadata but for the `changes`. Neither side waits for the other to speak first. A call that came over HTTP/2 passes frame by frame;
 * another message by message.
 */
export function forward(
  call: ServerCall,
  connections: Connections,
  address: string,
  changes: MetadataChanges,
): Promise<void> {
  if (call instanceof Http2ServerCall && call.isRaw)
    return new RawForward(call, connections.node(address), address, changes).run();
  return forwardMessages(call, connections, address, changed(call.metadata, changes));
}

function changed(metadata: Metadata, changes: MetadataChanges): Metadata {
  return Object.fromEntries(
    Object.entries({ ...metadata, ...changes }).filter((entry): entry is [string, string] => entry[1] !== undefined),
  );
}

async function forwardMessages(
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
    for (let message = await next.read(); message !== undefined; message = await next.read()) await call.send(message);
    const status = await next.status;
    if (status.lost) throw nodeLost(status.message);
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
