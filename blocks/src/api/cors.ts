import { isOrigin, MicroError } from "@microts/core";

const methods = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";
const allowedHeaders =
  "Accept, Accept-Language, Authorization, Content-Language, Content-Type, Micro-Namespace, X-CSRF-Token";

interface Headers {
  readonly plain: readonly string[];
  readonly json: readonly string[];
}

/**
 * Which pages may read answers. Any page may, without credentials; pages of the listed origins also with them. No origin is ever reflected
 * that isn't listed.
 */
export class Cors {
  readonly #listed = new Map<string, Headers>();
  readonly #others: Headers;

  /** Throws 400 for anything that isn't an origin as browsers write it: `https://host` or `https://host:port`. */
  constructor(origins: readonly string[] = []) {
    const vary = origins.length > 0 ? ["Vary", "Origin"] : [];
    for (const origin of origins) {
      const allow = ["Access-Control-Allow-Origin", checkOrigin(origin), "Access-Control-Allow-Credentials", "true"];
      this.#listed.set(origin, headersOf([...allow, ...vary]));
    }
    this.#others = headersOf(["Access-Control-Allow-Origin", "*", ...vary]);
  }

  /** Whether pages of this origin may use cookies. */
  isListed(origin: string): boolean {
    return this.#listed.has(origin);
  }

  /** Names and values in turn, for every answer. */
  headers(origin: string | undefined): readonly string[] {
    return this.#of(origin).plain;
  }

  /** The same for an answer in JSON, with its content type. */
  jsonHeaders(origin: string | undefined): readonly string[] {
    return this.#of(origin).json;
  }

  #of(origin: string | undefined): Headers {
    return (origin === undefined ? undefined : this.#listed.get(origin)) ?? this.#others;
  }

  /** For the answer to a preflight. */
  preflight(origin: string | undefined): readonly string[] {
    return [
      ...this.headers(origin),
      "Access-Control-Allow-Methods",
      methods,
      "Access-Control-Allow-Headers",
      allowedHeaders,
      "Access-Control-Max-Age",
      "600",
    ];
  }
}

/** The methods the gateway answers. */
export const allowHeader = methods;

function headersOf(plain: readonly string[]): Headers {
  return { plain, json: ["Content-Type", "application/json", "X-Content-Type-Options", "nosniff", ...plain] };
}

function checkOrigin(origin: string): string {
  if (isOrigin(origin)) return origin;
  throw MicroError.badRequest(
    "go.micro.api",
    `${JSON.stringify(origin)} is not an origin: write scheme and host as browsers do, such as https://app.example.com`,
  );
}
