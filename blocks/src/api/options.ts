import type { Account, Log, Metadata } from "@microts/core";
import type { Endpoint } from "../registry/index.ts";
import type { FindBlob } from "./blob-answer.ts";
import type { Target } from "./resolve/index.ts";

/** What goes with a call. */
export interface CallScope {
  /** The request's headers that may travel, `authorization`, `micro-namespace` and `x-forwarded-for`. */
  readonly metadata: Metadata;
  /** Aborts when the client goes away, the deadline passes or the gateway ends. */
  readonly signal: AbortSignal;
  /** Undefined for streams. */
  readonly deadline: Date | undefined;
  /** Undefined for anonymous callers. */
  readonly account: Account | undefined;
}

/** What the gateway needs to know of a service: part of a registry's `ServiceEntry`. */
export interface KnownService {
  /** With none, endpoints are taken as they come and the service answers for them. */
  readonly endpoints: readonly Endpoint[];
}

/** What the gateway stands on. Everything is asked per request. */
export interface GatewayOptions {
  /** `host:port`; port 0 takes a free one. */
  readonly address: string;
  /** Told at `/`. */
  readonly version: string;
  readonly log?: Log;

  /** From memory; undefined when the namespace has no such service. */
  resolveService(namespace: string, service: string): KnownService | undefined;
  /** The services of a namespace, for "did you mean". */
  serviceNames(namespace: string): Iterable<string>;
  /** Who an `authorization` value proves. Throws 401. */
  account(authorization: string): Account | undefined | Promise<Account | undefined>;
  /** Throws 401 or 403 when the rules of the namespace say no. */
  authorize(account: Account | undefined, namespace: string, resource: Target["resource"]): void | Promise<void>;
  /** One request, one reply, both in JSON. */
  call(
    namespace: string,
    service: string,
    endpoint: string,
    request: Uint8Array,
    scope: CallScope,
  ): Promise<Uint8Array>;
  /** One request, many replies, in JSON. Ends soon after `scope.signal` aborts. */
  stream(
    namespace: string,
    service: string,
    endpoint: string,
    request: Uint8Array,
    scope: CallScope,
  ): AsyncIterable<Uint8Array>;
  /** Told of a caller who isn't let in before any rule is asked: its token proves nobody, or somebody of another namespace. */
  refused?(service: string, endpoint: string, reason: unknown): void;
  /** What `/-/blobs/<namespace>/<key>` gives to anybody. Default: nothing is there. */
  readonly publicBlob?: FindBlob;
  /** Whether the account is on the block list; from memory. */
  blocked?(accountId: string, namespace: string): boolean;

  /** Origins such as `https://app.example.com` whose pages may use cookies. Default none: other pages get answers only with a token of their own. */
  readonly corsOrigins?: readonly string[];
  /** Addresses and subnets (`10.0.0.0/8`) whose `X-Forwarded-*` is believed. Default none. */
  readonly trustedProxies?: readonly string[];
  /** Gets a line per request in Apache's combined format, without its newline and without the query. */
  accessLog?(line: string): void;
  readonly limits?: Partial<Limits>;
}

export interface Limits {
  /** Of a request body, else 413. Default 4 MiB. */
  readonly maxBodyBytes: number;
  /** Of a unary call, else 504. Default 10 s. */
  readonly timeoutMs: number;
  /** More are closed at once. Default 10,000. */
  readonly maxConnections: number;
  /** For the headers to arrive, else 408. Default 10 s. */
  readonly headersTimeoutMs: number;
  /** For the whole request to arrive, else 408. Default 30 s. */
  readonly requestTimeoutMs: number;
  /** For the client to take a finished answer, else the connection is cut. Default 60 s. */
  readonly answerTimeoutMs: number;
  /** An idle connection lives so long. Default 60 s. */
  readonly keepAliveMs: number;
}

export const defaultLimits: Limits = {
  maxBodyBytes: 4 * 1024 * 1024,
  timeoutMs: 10_000,
  maxConnections: 10_000,
  headersTimeoutMs: 10_000,
  requestTimeoutMs: 30_000,
  answerTimeoutMs: 60_000,
  keepAliveMs: 60_000,
};

/** Fixed: what a proxy in front would pass on anyway. */
export const maxUrlLength = 8 * 1024;
export const maxHeaderBytes = 16 * 1024;
export const maxHeaders = 100;
