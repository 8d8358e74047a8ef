/** Milliseconds since 1970, like `Date.now`. */
export type Now = () => number;

/**
 * A clock that never goes back: when the machine's does, it carries on from where it was, so that what has expired stays expired. It is ahead
 * of the machine's clock from then on until the process ends or that clock has caught up.
 */
export function steadyClock(now: Now = Date.now, elapsed: Now = () => performance.now()): Now {
  let last = now();
  let at = elapsed();
  return () => {
    const since = elapsed();
    last = Math.max(now(), last + Math.floor(since - at));
    at = since;
    return last;
  };
}
