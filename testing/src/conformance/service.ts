import { setTimeout as delay } from "node:timers/promises";
import { create, type DescMethod, type MessageInitShape } from "@bufbuild/protobuf";
import { type Any, anyPack } from "@bufbuild/protobuf/wkt";
import { decodeMessage, encodeMessage } from "@microts/core/codec";
import {
  findMethod,
  formatOf,
  type Method,
  parsePath,
  type ServerCall,
  StatusError,
  serveMethod,
} from "@microts/core/rpc";
import {
  BidiStreamRequestSchema,
  BidiStreamResponseSchema,
  type ClientStreamRequest,
  type ConformancePayload_RequestInfo,
  ConformancePayload_RequestInfoSchema,
  type ConformancePayloadSchema,
  ConformanceService,
  type Error as DefinedError,
  type ServerStreamRequest,
  type StreamResponseDefinition,
  type UnaryRequest,
  type UnaryResponseDefinition,
} from "../../gen/connectrpc/conformance/v1/service_pb.ts";
import { headersOf, metadataOf } from "./headers.ts";
import { failure } from "./status-details.ts";

type Payload = MessageInitShape<typeof ConformancePayloadSchema>;

/** Answers a call of connectrpc.conformance.v1.ConformanceService: its first request says what the answer is to be. */
export async function answerConformance(call: ServerCall): Promise<void> {
  const answer = new Answer(call);
  const { service, endpoint } = parsePath(call.path);
  if (endpoint === "ConformanceService.BidiStream") await answer.bidi();
  else {
    const method = findMethod(methodsOf(answer), service, endpoint);
    await serveMethod(call, method, { service, account: undefined, namespace: "" });
  }
  throw new StatusError({ code: 0, message: "", trailers: answer.trailers });
}

function methodsOf(answer: Answer): ReadonlyMap<string, Method> {
  const { unary, idempotentUnary, clientStream, serverStream } = ConformanceService.method;
  const methods = [
    methodOf(unary, "unary", (request) => answer.unary(unary, request as UnaryRequest)),
    methodOf(idempotentUnary, "unary", (request) => answer.unary(idempotentUnary, request as UnaryRequest)),
    methodOf(clientStream, "client", (requests) => answer.client(requests as AsyncIterable<ClientStreamRequest>)),
    methodOf(serverStream, "server", (request) => answer.server(request as ServerStreamRequest)),
  ];
  return new Map(methods.map((method) => [method.name, method]));
}

function methodOf(descriptor: DescMethod, kind: Method["kind"], handle: Method["handle"]): Method {
  const { parent, name, input, output } = descriptor;
  return {
    name: `${parent.name}.${name}`,
    kind,
    decode: (bytes, format) => decodeMessage(input, bytes, format),
    encode: (value, format) => encodeMessage(output, value as MessageInitShape<typeof output>, format),
    handle,
    descriptor,
  };
}

/** What one call is answered with. Headers and trailers are beyond what a `Method` can set, so it writes them on the call. */
class Answer {
  trailers: Readonly<Record<string, string>> = {};
  readonly #call: ServerCall;
  readonly #seen: Pick<ConformancePayload_RequestInfo, "requestHeaders" | "timeoutMs">;

  constructor(call: ServerCall) {
    this.#call = call;
    const timeoutMs = call.deadline === undefined ? undefined : BigInt(call.deadline.getTime() - Date.now());
    this.#seen = create(ConformancePayload_RequestInfoSchema, {
      requestHeaders: headersOf(call.metadata),
      ...(timeoutMs !== undefined && { timeoutMs }),
    });
  }

  async unary({ input }: DescMethod, request: UnaryRequest) {
    return await this.#single(request.responseDefinition, [anyPack(input, request)]);
  }

  async client(requests: AsyncIterable<ClientStreamRequest>) {
    const all = await Array.fromAsync(requests);
    const { input } = ConformanceService.method.clientStream;
    return await this.#single(
      all[0]?.responseDefinition,
      all.map((request) => anyPack(input, request)),
    );
  }

  async #single(definition: UnaryResponseDefinition | undefined, requests: Any[]): Promise<{ payload: Payload }> {
    const requestInfo = this.#info(requests);
    if (definition === undefined) return { payload: { requestInfo } };
    const { response } = definition;
    this.#head(definition);
    await delay(definition.responseDelayMs, undefined, { signal: this.#call.signal });
    if (response.case === "error") throw this.#failure(response.value, requestInfo);
    return { payload: { requestInfo, ...(response.case === "responseData" && { data: response.value }) } };
  }

  server(request: ServerStreamRequest): AsyncIterable<{ payload: Payload }> {
    const { responseDefinition: definition } = request;
    if (definition !== undefined) this.#head(definition);
    return this.#replies(definition, [anyPack(ConformanceService.method.serverStream.input, request)]);
  }

  async *#replies(
    definition: StreamResponseDefinition | undefined,
    requests: Any[],
    from = 0,
  ): AsyncGenerator<{ payload: Payload }, void, undefined> {
    if (definition === undefined) return;
    for (const [index, data] of definition.responseData.entries()) {
      if (index < from) continue;
      await delay(definition.responseDelayMs, undefined, { signal: this.#call.signal });
      yield { payload: { data, ...(index === 0 && { requestInfo: this.#info(requests) }) } };
    }
    const isSilent = definition.responseData.length === 0;
    if (definition.error !== undefined)
      throw this.#failure(definition.error, isSilent ? this.#info(requests) : undefined);
  }

  /** Headers may come with the first request only, so they can't be sent before it as `serveMethod` sends them. */
  async bidi(): Promise<void> {
    const call = this.#call;
    const format = formatOf(call.contentType);
    const send = (payload: Payload) => call.send(encodeMessage(BidiStreamResponseSchema, { payload }, format));
    let definition: StreamResponseDefinition | undefined;
    let isFullDuplex = false;
    let unanswered: Any[] = [];
    let isFirst = true;
    let replies = 0;
    for await (const bytes of call.requests) {
      const request = decodeMessage(BidiStreamRequestSchema, bytes, format);
      unanswered.push(anyPack(BidiStreamRequestSchema, request));
      if (isFirst) {
        isFirst = false;
        definition = request.responseDefinition;
        isFullDuplex = request.fullDuplex;
        if (definition !== undefined) this.#head(definition);
        call.sendHeaders({});
      }
      if (!isFullDuplex) continue;
      const data = definition?.responseData[replies];
      if (data === undefined) break;
      await delay(definition?.responseDelayMs, undefined, { signal: call.signal });
      const requestInfo = replies === 0 ? this.#info(unanswered) : { requests: unanswered };
      await send({ data, requestInfo });
      unanswered = [];
      replies++;
    }
    for await (const { payload } of this.#replies(definition, unanswered, replies)) await send(payload);
  }

  /** Sends the headers, and keeps the trailers for the end. */
  #head({ responseHeaders, responseTrailers }: Pick<StreamResponseDefinition, "responseHeaders" | "responseTrailers">) {
    this.trailers = metadataOf(responseTrailers);
    if (responseHeaders.length > 0) this.#call.sendHeaders(metadataOf(responseHeaders));
  }

  #info(requests: Any[]): ConformancePayload_RequestInfo {
    return create(ConformancePayload_RequestInfoSchema, { ...this.#seen, requests });
  }

  #failure({ code, message, details }: DefinedError, info: ConformancePayload_RequestInfo | undefined): StatusError {
    const seen = info === undefined ? [] : [anyPack(ConformancePayload_RequestInfoSchema, info)];
    return failure({ code, message, details: [...details, ...seen] }, this.trailers);
  }
}
