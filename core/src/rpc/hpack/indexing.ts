/** How a field is written (RFC 7541 §6.2): entered into the table, only for this once, or with the order never to enter it anywhere. */
export type Indexing = "entered" | "literal" | "never";

/** Fields whose value is another one in nearly each call: entering it would only push out what does come again. */
const changing = new Set([
  "age",
  "content-length",
  "content-range",
  "date",
  "etag",
  "expires",
  "grpc-message",
  "grpc-status-details-bin",
  "grpc-timeout",
  "if-match",
  "if-modified-since",
  "if-none-match",
  "if-range",
  "if-unmodified-since",
  "last-modified",
  "location",
  "micro-id",
  "micro-span-id",
  "micro-trace-id",
  "retry-after",
  "set-cookie",
  "timeout",
  "traceparent",
  "tracestate",
  "x-request-id",
]);

/** A cookie shorter than this can be guessed octet by octet by someone who sees what compresses (RFC 7541 §7.1.3). */
const shortCookie = 20;

/** Values of one name that may be entered in a row without one of them being used again. */
const fullCredit = 16;

/** Without credit each 32nd value is entered still: values that came to repeat are found out that way. */
const probeEvery = 32;

/** Learns whether the values of one name come again, and so whether entering them is worth it. */
export class NameIndexing {
  readonly #fixed: Exclude<Indexing, "entered"> | "cookie" | undefined;
  #credit: number;
  #isNew: boolean;
  #passed = 0;

  /** A name that is not `isCommon` has to come twice before a value is entered: names that never come again push nothing out. */
  constructor(name: string, isCommon: boolean) {
    this.#fixed = fixedIndexing(name);
    this.#credit = isCommon ? fullCredit : 0;
    this.#isNew = !isCommon;
  }

  /** How to write a value that is not in the table; `fits` says whether it may be entered. */
  choose(value: string, fits: boolean): Indexing {
    if (this.#fixed === "cookie" && value.length < shortCookie) return "never";
    if (this.#fixed === "never" || this.#fixed === "literal") return this.#fixed;
    return fits ? this.#learned() : "literal";
  }

  /** A value was found in the table. */
  found(): void {
    if (this.#credit < fullCredit) this.#credit++;
  }

  #learned(): Indexing {
    if (this.#credit > 0) {
      this.#credit--;
      return "entered";
    }
    if (this.#isNew) {
      this.#isNew = false;
      this.#credit = fullCredit;
      return "literal";
    }
    this.#passed = (this.#passed + 1) % probeEvery;
    return this.#passed === 0 ? "entered" : "literal";
  }
}

function fixedIndexing(name: string): Exclude<Indexing, "entered"> | "cookie" | undefined {
  if (changing.has(name)) return "literal";
  if (name === "proxy-authorization") return "never";
  return name === "cookie" ? "cookie" : undefined;
}
