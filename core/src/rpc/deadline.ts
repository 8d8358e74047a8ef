const units: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1_000, m: 1, u: 1e-3, n: 1e-6 };

/** Milliseconds of a `grpc-timeout` value (gRPC over HTTP/2: up to 8 digits and a unit), or undefined when malformed. */
function parseGrpcTimeout(value: string | undefined): number | undefined {
  if (value === undefined || value.length < 2 || value.length > 9) return undefined;
  const unit = units[value.charAt(value.length - 1)];
  const count = digitsOf(value, value.length - 1);
  return unit === undefined || count === undefined ? undefined : count * unit;
}

/** Milliseconds of Micro's `timeout`, which is in nanoseconds; undefined when malformed or 0, which means none. */
function parseNanoseconds(value: string | undefined): number | undefined {
  if (value === undefined || value.length > 19) return undefined;
  const nanoseconds = digitsOf(value, value.length);
  return nanoseconds ? nanoseconds / 1e6 : undefined;
}

/** The number that the first `length` characters write in decimal digits alone. */
function digitsOf(text: string, length: number): number | undefined {
  if (length === 0) return undefined;
  let number = 0;
  for (let n = 0; n < length; n++) {
    const digit = text.charCodeAt(n) - 48;
    if (digit < 0 || digit > 9) return undefined;
    number = number * 10 + digit;
  }
  return number;
}

/** A `grpc-timeout` value for the milliseconds left, at least one millisecond. */
export function formatGrpcTimeout(ms: number): string {
  const left = Math.max(1, Math.ceil(ms));
  if (left < 1e8) return `${left}m`;
  return `${Math.min(99_999_999, Math.ceil(left / 1000))}S`;
}

/** The earlier of the standard `grpc-timeout` and Micro's `timeout` in nanoseconds (wire §2.2), as a point in time. */
export function deadlineFrom(
  headers: Readonly<Record<string, string | string[] | undefined>>,
  now = Date.now(),
): Date | undefined {
  const ms = earlierTimeoutMs(first(headers["grpc-timeout"]), first(headers["timeout"]));
  return ms === undefined ? undefined : new Date(now + ms);
}

/** The earlier of both, as the milliseconds left. */
export function earlierTimeoutMs(grpcTimeout: string | undefined, timeout: string | undefined): number | undefined {
  const standard = parseGrpcTimeout(grpcTimeout);
  const micro = parseNanoseconds(timeout);
  return standard === undefined || micro === undefined ? (standard ?? micro) : Math.min(standard, micro);
}

function first(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value[0] : value;
}

/** Longest delay that setTimeout takes; a deadline beyond it is waited for in parts. */
const maxDelayMs = 2 ** 31 - 1;

/** A signal that aborts with `outer`, or with a TimeoutError when the deadline passes. Dispose it when the work is done. */
export function deadlineSignal(
  outer: AbortSignal | undefined,
  deadline: Date | undefined,
): Disposable & { readonly signal: AbortSignal } {
  const controller = new AbortController();
  const onAbort = () => controller.abort(outer?.reason);
  if (outer?.aborted) onAbort();
  else outer?.addEventListener("abort", onAbort, { once: true });
  let timer: NodeJS.Timeout | undefined;
  const wait = (until: number) => {
    const left = until - Date.now();
    timer =
      left > maxDelayMs
        ? setTimeout(() => wait(until), maxDelayMs)
        : setTimeout(
            () => controller.abort(new DOMException("the deadline passed", "TimeoutError")),
            Math.max(0, left),
          );
  };
  if (deadline !== undefined) wait(deadline.getTime());
  return {
    signal: controller.signal,
    [Symbol.dispose]() {
      clearTimeout(timer);
      outer?.removeEventListener("abort", onAbort);
    },
  };
}
