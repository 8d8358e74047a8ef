import { pushDeadline } from "./call-fields.ts";
import { nodeLost, notGrpc, statusOfClose } from "./call-status.ts";
import type { RawSink } from "./call-stream.ts";
import { ErrorCode, Prefix } from "./http2/protocol.ts";
import type { StreamClose } from "./http2/stream.ts";
import type { NodeConnections } from "./node-connections.ts";
import { Outgoing } from "./outgoing.ts";
import type { Http2ServerCall } from "./server-call.ts";
import { StatusError } from "./transport.ts";

/** Metadata that changes on the way: a new value, or undefined to leave it out. */
export type MetadataChanges = Readonly<Record<string, string | undefined>>;

/** Fields that this hop writes itself. */
const ownFields = new Set([
  "content-type",
  "te",
  "user-agent",
  "grpc-timeout",
  "timeout",
  "content-length",
  "host",
  "expect",
]);

/**
 * A call passed on frame by frame: DATA goes from one stream to the other as it comes, undecoded, and the bytes of one are given back to its
 * sender only when the other has taken them.
 */
export class RawForward extends Outgoing {
  readonly #call: Http2ServerCall;
  readonly #address: string;
  readonly #done = Promise.withResolvers<void>();
  #owedToCaller = 0;
  #owedToNode = 0;
  /** A response without messages: its headers are the trailers, and are sent with its end. */
  #trailersOnly: readonly string[] | undefined;

  constructor(call: Http2ServerCall, node: NodeConnections, address: string, changes: MetadataChanges) {
    super(node, rewritten(call, node, changes), false);
    this.#call = call;
    this.#address = address;
  }

  /** Resolves when the call has ended with the node's status; rejects when the node gave none. */
  run(): Promise<void> {
    this.open();
    this.#call.takeRaw(this.#fromCaller);
    return this.#done.promise;
  }

  readonly #fromCaller: RawSink = {
    onData: (bytes, start, end, isEnd) => {
      if (this.write(Prefix.none, bytes.subarray(start, end), isEnd)) this.#call.stream.consumed(end - start);
      else this.#owedToCaller += end - start;
    },
    onEnd: () => void this.write(Prefix.none, nothing, true),
    onWritable: () => {
      this.consumed(this.#owedToNode);
      this.#owedToNode = 0;
    },
    onClose: () => {
      this.abandon(ErrorCode.cancel);
      this.#done.resolve();
    },
  };

  onWritable(): void {
    this.#call.stream.consumed(this.#owedToCaller);
    this.#owedToCaller = 0;
  }

  protected onResponse(fields: string[], isEnd: boolean): void {
    const problem = notGrpc(fields, isEnd, this.#address, undefined);
    if (problem !== undefined) this.#fail(new StatusError(problem));
    else if (isEnd) this.#trailersOnly = fields;
    else this.#call.sendRawHeaders(fields);
  }

  onData(bytes: Buffer, start: number, end: number): void {
    if (this.#call.stream.write(Prefix.none, bytes.subarray(start, end), false)) this.consumed(end - start);
    else this.#owedToNode += end - start;
  }

  onEnd(trailers: string[] | undefined): void {
    const last = trailers ?? this.#trailersOnly;
    if (last === undefined) {
      this.#fail(new StatusError(statusOfClose(undefined, this.#address)));
      return;
    }
    this.#call.finishRaw(last);
    this.abandon(ErrorCode.noError);
    this.#done.resolve();
  }

  protected onOver(close: StreamClose | undefined): void {
    const status = statusOfClose(close, this.#address, this.#call.deadline);
    this.#fail(status.lost ? nodeLost(status.message) : new StatusError(status));
  }

  #fail(reason: Error): void {
    this.#done.reject(reason);
    this.abandon(ErrorCode.cancel);
  }
}

/** The request's headers for the next hop: its own control data and time left, the rest as it came but for the changes. */
function rewritten(call: Http2ServerCall, node: NodeConnections, changes: MetadataChanges): string[] {
  const fields = [
    ":method",
    "POST",
    ":scheme",
    node.isTls ? "https" : "http",
    ":path",
    call.path,
    ":authority",
    node.authority,
    "content-type",
    call.contentType,
    "te",
    "trailers",
    "user-agent",
    "micro-ts",
  ];
  const { fields: from } = call;
  for (let at = call.fieldsFrom; at < from.length; at += 2) {
    const name = from[at] as string;
    if (!ownFields.has(name) && !(name in changes)) fields.push(name, from[at + 1] as string);
  }
  for (const name in changes) {
    const value = changes[name];
    if (value !== undefined) fields.push(name, value);
  }
  if (call.deadline !== undefined) pushDeadline(fields, call.deadline);
  return fields;
}

const nothing = new Uint8Array(0);
