const units: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1_000, m: 1, u: 1e-3, n: 1e-6 };

/** Milliseconds of a `grpc-timeout` value (gRPC over HTTP/2: up to 8 digits and a unit), or undefined when malformed. */
function parseGrpcTimeout(value: string | undefined): number | undefined {
  const match = /^(\d{1,8})([HMSmun])$/.exec(value ?? "");
  const unit = units[match?.[2] ?? ""];
  return match === null || unit === undefined ? undefined : Number(match[1]) * unit;
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
  const standard = parseGrpcTimeout(first(headers["grpc-timeout"]));
  const nanoseconds = /^\d{1,19}$/.exec(first(headers["timeout"]) ?? "")?.[0];
  const micro = nanoseconds === undefined || Number(nanoseconds) === 0 ? undefined : Number(nanoseconds) / 1e6;
  const ms = Math.min(standard ?? Number.POSITIVE_INFINITY, micro ?? Number.POSITIVE_INFINITY);
  return Number.isFinite(ms) ? new Date(now + ms) : undefined;
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
