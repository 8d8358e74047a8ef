import { fieldOf, type RequestFields, readRequestFields } from "./call-fields.ts";
import type { CallStream } from "./call-stream.ts";
import type { RequestHead } from "./http2/message-head.ts";
import type { StreamEvents } from "./http2/stream.ts";
import { type HttpAnswer, NotGrpc } from "./not-grpc.ts";
import { Http2ServerCall } from "./server-call.ts";
import { withoutBrowserFields } from "./web/browser-fields.ts";
import { Cors, isPreflight, type WebOptions } from "./web/cors.ts";
import { WebStream } from "./web/web-stream.ts";
import { isWebType, webTypeOf } from "./web/web-type.ts";

/** Makes calls of requests, whatever carried them, and answers what isn't a call in HTTP. */
export class Requests {
  readonly #maxBytes: number;
  readonly #cors: Cors | undefined;

  /** Throws 400 when the web's options are wrong. */
  constructor(maxBytes: number, web: WebOptions | false) {
    this.#maxBytes = maxBytes;
    this.#cors = web === false ? undefined : new Cors(web);
  }

  /**
   * A request over HTTP/2: gRPC, Micro's JSON and protobuf without the gRPC name (wire §2.2), or gRPC-Web. Gives what is to be told what happens
   * on the stream; a call is also added to `calls`, to be run. `peer` is the address of the caller's end.
   */
  overHttp2(
    stream: CallStream,
    head: RequestHead,
    fields: string[],
    peer: string,
    calls: Http2ServerCall[],
  ): StreamEvents {
    const known = readRequestFields(fields, head.fieldsFrom);
    const contentType = known.contentType ?? "";
    if (head.method !== "POST" || !/^application\/(grpc|json|proto)/.test(contentType))
      return this.#answered(stream, head, fields, `${quoted(contentType)} is no content type of gRPC`);
    if (isWebType(contentType)) return this.#overWeb(stream, head, fields, peer, known, calls);
    const call = new Http2ServerCall(stream, head, fields, contentType, known, this.#maxBytes, peer);
    calls.push(call);
    return call;
  }

  /** The same over HTTP/1.1, which carries no other gRPC than gRPC-Web. */
  overHttp1(
    stream: CallStream,
    head: RequestHead,
    fields: string[],
    peer: string,
    calls: Http2ServerCall[],
  ): StreamEvents {
    const known = readRequestFields(fields, head.fieldsFrom);
    const contentType = known.contentType ?? "";
    if (head.method === "POST" && isWebType(contentType))
      return this.#overWeb(stream, head, fields, peer, known, calls);
    const why = `over HTTP/1.1 this port takes gRPC-Web (application/grpc-web), not ${quoted(contentType)}: gRPC needs HTTP/2`;
    return this.#answered(stream, head, fields, why);
  }

  #overWeb(
    carrier: CallStream,
    head: RequestHead,
    fields: string[],
    peer: string,
    known: RequestFields,
    calls: Http2ServerCall[],
  ): StreamEvents {
    const cors = this.#cors;
    if (cors === undefined) return this.#answered(carrier, head, fields, "this port doesn't take gRPC-Web");
    const origin = fieldOf(fields, "origin");
    const type = webTypeOf(known.contentType ?? "", fieldOf(fields, "accept"));
    const stream = new WebStream(carrier, { type, corsFields: (names) => cors.fields(origin, names) });
    const kept = withoutBrowserFields(fields, head.fieldsFrom);
    const call = new Http2ServerCall(stream, head, kept, type.grpcType, known, this.#maxBytes, peer);
    stream.carry(call);
    calls.push(call);
    return stream;
  }

  #answered(stream: CallStream, head: RequestHead, fields: readonly string[], why: string): StreamEvents {
    return new NotGrpc(stream, this.#answer(head, fields, why));
  }

  #answer(head: RequestHead, fields: readonly string[], why: string): HttpAnswer {
    const origin = fieldOf(fields, "origin");
    const isHead = head.method === "HEAD";
    if (this.#cors !== undefined && origin !== undefined && isPreflight(head, fields))
      return preflightAnswer(this.#cors, origin, fieldOf(fields, "access-control-request-headers"));
    const cors = this.#cors?.fields(origin) ?? [];
    const hint = "This port speaks gRPC; the HTTP gateway is on another one";
    if (head.method === "POST") return { status: "415", text: `${why}. ${hint}`, fields: cors, isHead };
    const text = `calls are made with POST, not ${quoted(head.method)}. ${hint}`;
    return { status: "405", text, fields: ["allow", "POST", ...cors], isHead };
  }
}

function quoted(text: string): string {
  return JSON.stringify(text.slice(0, 100));
}

function preflightAnswer(cors: Cors, origin: string, requested: string | undefined): HttpAnswer {
  if (cors.isAllowed(origin))
    return { status: "204", text: "", fields: cors.preflight(origin, requested), isHead: false };
  const text = `pages of ${quoted(origin)} may not call this server: add the origin to those it allows (MICRO_PROXY_CORS_ORIGINS for Micro's proxy)`;
  return { status: "403", text, fields: cors.fields(origin), isHead: false };
}
