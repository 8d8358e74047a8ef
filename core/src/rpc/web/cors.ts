import { MicroError } from "../../errors.ts";
import { isMetadataKey } from "../../metadata.ts";
import { isOrigin } from "../../origin.ts";
import { fieldOf } from "../call-fields.ts";
import type { RequestHead } from "../http2/message-head.ts";

/** How browsers are served. */
export interface WebOptions {
  /**
   * Origins whose pages may call, such as `https://app.example.com`, or `*` for all. Default none: then only pages of this server's own origin
   * may. Cookies are never taken for anything, whatever the origin.
   */
  readonly origins?: readonly string[];
}

const allowedHeaders = [
  "authorization",
  "content-type",
  "grpc-accept-encoding",
  "grpc-encoding",
  "grpc-timeout",
  "micro-namespace",
  "timeout",
  "x-content-type",
  "x-grpc-web",
  "x-user-agent",
];
const exposedHeaders = "grpc-status, grpc-message, grpc-status-details-bin, grpc-encoding";

/** Which pages may call from another origin (Fetch standard, CORS protocol). */
export class Cors {
  readonly #origins: ReadonlySet<string>;
  readonly #takesAll: boolean;

  /** Throws 400 for anything that isn't an origin. */
  constructor({ origins = [] }: WebOptions) {
    this.#takesAll = origins.includes("*");
    this.#origins = new Set(origins);
    const wrong = origins.find((origin) => origin !== "*" && !isOrigin(origin));
    if (wrong !== undefined)
      throw MicroError.badRequest(
        "go.micro.server",
        `${JSON.stringify(wrong)} is not an origin: write scheme and host as browsers do, such as https://app.example.com`,
      );
  }

  isAllowed(origin: string): boolean {
    return this.#takesAll || this.#origins.has(origin);
  }

  /** What every answer to the page says, with the names of the answer's own fields that the page may read. */
  fields(origin: string | undefined, names: readonly string[] = []): string[] {
    if (this.#takesAll) return this.#allowing("*", names);
    if (this.#origins.size === 0) return [];
    // Whether or not this page may: a cache must not give one page's answer to another.
    const vary = ["vary", "origin"];
    return origin !== undefined && this.#origins.has(origin) ? [...this.#allowing(origin, names), ...vary] : vary;
  }

  #allowing(origin: string, names: readonly string[]): string[] {
    const exposed = [exposedHeaders, ...names].join(", ");
    return ["access-control-allow-origin", origin, "access-control-expose-headers", exposed];
  }

  /** What the answer to a preflight allows: calls with the headers of gRPC-Web and any metadata it asks for. */
  preflight(origin: string, requested: string | undefined): string[] {
    const asked = (requested ?? "").toLowerCase().split(",", 100);
    const metadata = asked.map((name) => name.trim()).filter((name) => isMetadataKey(name));
    return [
      ...this.fields(origin),
      "access-control-allow-methods",
      "POST",
      "access-control-allow-headers",
      [...new Set([...allowedHeaders, ...metadata])].join(", "),
      "access-control-max-age",
      "600",
    ];
  }
}

/** Whether a browser asks if a page may call. */
export function isPreflight({ method }: RequestHead, fields: readonly string[]): boolean {
  return method === "OPTIONS" && fieldOf(fields, "access-control-request-method") !== undefined;
}
