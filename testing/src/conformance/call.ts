import { setTimeout as delay } from "node:timers/promises";
import { create, fromBinary, type MessageInitShape } from "@bufbuild/protobuf";
import { grpcStatusOf, type Metadata, MicroError } from "@microts/core";
import type { CallOptions, RpcClient, Status } from "@microts/core/rpc";
import type {
  ClientCompatRequest,
  ClientCompatRequest_Cancel,
  ClientResponseResultSchema,
} from "../../gen/connectrpc/conformance/v1/client_compat_pb.ts";
import { type Code, Compression, StreamType } from "../../gen/connectrpc/conformance/v1/config_pb.ts";
import {
  type ConformancePayload,
  ConformancePayloadSchema,
  ConformanceService,
} from "../../gen/connectrpc/conformance/v1/service_pb.ts";
import { headersOf, metadataOf } from "./headers.ts";
import { detailsOf } from "./status-details.ts";

type Result = MessageInitShape<typeof ClientResponseResultSchema>;

/** Makes the call of one test case and tells what came of it. */
export async function makeCall(rpc: RpcClient, test: ClientCompatRequest): Promise<Result> {
  return await new TestCall(rpc, test).run();
}

class TestCall {
  readonly #rpc: RpcClient;
  readonly #test: ClientCompatRequest;
  readonly #cancelled = new AbortController();
  readonly #payloads: ConformancePayload[] = [];
  #headers: Metadata = {};
  #status: Status = { code: 0, message: "", trailers: {} };
  #sent = 0;
  /** Resolves when the number of replies has grown or no more will come. */
  #progress = Promise.withResolvers<void>();
  #isOver = false;

  constructor(rpc: RpcClient, test: ClientCompatRequest) {
    this.#rpc = rpc;
    this.#test = test;
  }

  async run(): Promise<Result> {
    const failure = await this.#make().then(
      () => undefined,
      (error: unknown) => error,
    );
    this.#isOver = true;
    this.#progress.resolve();
    return {
      responseHeaders: headersOf(this.#headers),
      responseTrailers: headersOf(this.#status.trailers),
      payloads: this.#payloads,
      numUnsentRequests: this.#test.requestMessages.length - this.#sent,
      ...(failure !== undefined && { error: this.#errorOf(failure) }),
    };
  }

  /** The status, unless the client found the replies wrong after a good one. */
  #errorOf(failure: unknown): NonNullable<Result["error"]> {
    const { code, message } = this.#status;
    if (code !== 0) return { code: code as Code, message, details: detailsOf(this.#status) };
    const error = MicroError.from(failure, "conformance");
    return { code: grpcStatusOf(error.code) as Code, message: error.detail };
  }

  async #make(): Promise<void> {
    const { streamType, method = "", service = "", timeoutMs, compression, requestHeaders } = this.#test;
    const endpoint = `ConformanceService.${method}`;
    const name = service.slice(0, service.lastIndexOf("."));
    const options: CallOptions = {
      signal: this.#cancelled.signal,
      metadata: metadataOf(requestHeaders),
      timeoutMs: timeoutMs ?? Number.POSITIVE_INFINITY,
      compress: compression === Compression.GZIP,
      onEnd: (headers, status) => {
        this.#headers = headers;
        this.#status = status;
      },
    };
    switch (streamType) {
      case StreamType.UNARY: {
        const [request] = await Array.fromAsync(this.#requests());
        this.#take(await this.#rpc.unary(name, endpoint, request ?? nothing, options));
        return;
      }
      case StreamType.CLIENT_STREAM:
        this.#take(await this.#rpc.clientStream(name, endpoint, this.#requests(), options));
        return;
      case StreamType.SERVER_STREAM: {
        const [request] = await Array.fromAsync(this.#requests());
        return await this.#takeAll(this.#rpc.serverStream(name, endpoint, request ?? nothing, options));
      }
      default:
        return await this.#takeAll(this.#rpc.bidi(name, endpoint, this.#requests(), options));
    }
  }

  /** The requests in their time; the call is cancelled after the last when the test says so. */
  async *#requests(): AsyncGenerator<Uint8Array, void, undefined> {
    const { requestMessages, requestDelayMs, streamType } = this.#test;
    const isFullDuplex = streamType === StreamType.FULL_DUPLEX_BIDI_STREAM;
    for (const [index, { value }] of requestMessages.entries()) {
      await delay(requestDelayMs);
      this.#sent++;
      yield value;
      while (isFullDuplex && this.#payloads.length <= index && !this.#isOver) await this.#progress.promise;
    }
    this.#cancelAfterRequests(this.#test.cancel);
  }

  #cancelAfterRequests(cancel: ClientCompatRequest_Cancel | undefined): void {
    if (cancel === undefined) return;
    const { cancelTiming } = cancel;
    if (cancelTiming.case === "beforeCloseSend") this.#cancelled.abort();
    else if (cancelTiming.case !== "afterNumResponses")
      setTimeout(() => this.#cancelled.abort(), cancelTiming.value ?? 0);
  }

  async #takeAll(replies: AsyncIterable<Uint8Array>): Promise<void> {
    const { cancel } = this.#test;
    const last = cancel?.cancelTiming.case === "afterNumResponses" ? cancel.cancelTiming.value : undefined;
    for await (const reply of replies) {
      this.#take(reply);
      if (this.#payloads.length === last) this.#cancelled.abort();
    }
  }

  /** All replies have the same one field. */
  #take(reply: Uint8Array): void {
    const { payload } = fromBinary(ConformanceService.method.unary.output, reply);
    this.#payloads.push(payload ?? create(ConformancePayloadSchema));
    this.#progress.resolve();
    this.#progress = Promise.withResolvers<void>();
  }
}

const nothing = new Uint8Array(0);
