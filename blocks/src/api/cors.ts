import { MicroError } from "@microts/core";

const methods = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";
const allowedHeaders =
  "Accept, Accept-Language, Authorization, Content-Language, Content-Type, Micro-Namespace, X-CSRF-Token";

/**
 * Which pages may read answers. Any page may, without credentials; pages of the listed origins also with them. No origin is ever reflected
 * that isn't listed.
 */
export class Cors {
  readonly #listed = new Map<string, readonly string[]>();
  readonly #others: readonly string[];

  /** Throws 400 for anything that isn't an origin as browsers write it: `https://host` or `https://host:port`. */
  constructor(origins: readonly string[] = []) {
    for (const origin of origins) {
      this.#listed.set(checkOrigin(origin), [
        "Access-Control-Allow-Origin",
        origin,
        "Access-Control-Allow-Credentials",
        "true",
        "Vary",
        "Origin",
      ]);
    }
    this.#others = ["Access-Control-Allow-Origin", "*", ...(origins.length > 0 ? ["Vary", "Origin"] : [])];
  }

  /** Whether pages of this origin may use cookies. */
  isListed(origin: string): boolean {
    return this.#listed.has(origin);
  }

  /** Names and values in turn, for every answer. */
  headers(origin: string | undefined): readonly string[] {
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

function checkOrigin(origin: string): string {
  if (URL.canParse(origin) && new URL(origin).origin === origin && /^https?:/.test(origin)) return origin;
  throw MicroError.badRequest(
    "go.micro.api",
    `${JSON.stringify(origin)} is not an origin: write scheme and host as browsers do, such as https://app.example.com`,
  );
}
