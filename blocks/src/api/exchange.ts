import type { IncomingMessage, ServerResponse } from "node:http";
import type { Account } from "@microts/core";

/** One HTTP request on its way through the gateway, and what has become of it. */
export class Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly startedAtMs = Date.now();
  /** Between the host and the `?`. */
  readonly path: string;
  /** After the `?`; "" without. */
  readonly query: string;
  readonly expectsContinue: boolean;
  clientAddress = "";
  account: Account | undefined;
  /** When a unary call has to have answered. */
  deadlineAtMs = Number.POSITIVE_INFINITY;
  /** 0 until there is an answer. */
  status = 0;
  bytesSent = 0;
  answeredAtMs = 0;
  /** The connection ends with this answer. */
  mustClose = false;
  isLogged = false;
  isStream = false;
  /** The rest of the request can't be read. */
  isBroken = false;
  #controller: AbortController | undefined;
  #reason: unknown;

  constructor(request: IncomingMessage, response: ServerResponse, expectsContinue: boolean) {
    this.request = request;
    this.response = response;
    this.expectsContinue = expectsContinue;
    const url = request.url ?? "";
    const question = url.indexOf("?");
    this.path = question < 0 ? url : url.slice(0, question);
    this.query = question < 0 ? "" : url.slice(question + 1);
  }

  /** Aborts when the client goes away, the deadline passes or the gateway ends. Made when first asked for. */
  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#reason !== undefined) this.#controller.abort(this.#reason);
    }
    return this.#controller.signal;
  }

  get isAborted(): boolean {
    return this.#reason !== undefined;
  }

  abort(reason: DOMException): void {
    this.#reason ??= reason;
    this.#controller?.abort(this.#reason);
  }

  /** Whether some of the request's body is still on its way. */
  get hasUnreadBody(): boolean {
    return !this.request.complete && hasBody(this.request);
  }
}

/** Whether a body was announced. */
export function hasBody({ headers }: IncomingMessage): boolean {
  const length = headers["content-length"];
  return (length !== undefined && length !== "0") || headers["transfer-encoding"] !== undefined;
}
