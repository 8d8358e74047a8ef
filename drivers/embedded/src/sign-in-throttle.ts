import { MicroError } from "@microts/core";

interface Tries {
  /** When the failures of the last minute happened, oldest first. */
  failures: number[];
  running: number;
  readonly waiting: (() => void)[];
}

const windowMs = 60_000;
const maxTries = 10;
const maxWaiting = 200;
const capacity = 10_000;

/**
 * Lets at most ten tries a minute at one account's secret through. Right ones don't count, so that many instances of one service may start at
 * once: beyond ten running tries the others wait to see how those end. Remembers the 10,000 accounts tried last.
 */
export class SignInThrottle {
  readonly #tries = new Map<string, Tries>();

  /** Runs a try and returns whether it was right. Throws 429 saying how long to wait when there were too many wrong ones. */
  async try(key: string, check: () => Promise<boolean>): Promise<boolean> {
    const tries = this.#of(key);
    await this.#enter(tries);
    let right = false;
    try {
      right = await check();
      return right;
    } finally {
      tries.running--;
      if (!right) tries.failures.push(Date.now());
      else if (tries.running === 0 && tries.failures.length === 0) this.#tries.delete(key);
      for (const wake of tries.waiting.splice(0)) wake();
    }
  }

  /** Resolves with the try counted as running. */
  async #enter(tries: Tries): Promise<void> {
    for (;;) {
      const since = Date.now() - windowMs;
      tries.failures = tries.failures.filter((at) => at > since);
      const oldest = tries.failures[0];
      if (oldest !== undefined && tries.failures.length >= maxTries) throw tooMany(oldest + windowMs - Date.now());
      if (tries.failures.length + tries.running < maxTries) {
        tries.running++;
        return;
      }
      if (tries.waiting.length >= maxWaiting) throw tooMany(1000);
      await new Promise<void>((resolve) => tries.waiting.push(resolve));
    }
  }

  #of(key: string): Tries {
    const tries = this.#tries.get(key) ?? { failures: [], running: 0, waiting: [] };
    this.#tries.delete(key);
    this.#tries.set(key, tries);
    if (this.#tries.size > capacity) this.#forgetOldest();
    return tries;
  }

  #forgetOldest(): void {
    for (const [key, { running, waiting }] of this.#tries) {
      if (running > 0 || waiting.length > 0) continue;
      this.#tries.delete(key);
      return;
    }
  }
}

function tooMany(waitMs: number): MicroError {
  const seconds = Math.max(1, Math.ceil(waitMs / 1000));
  return new MicroError(429, "auth.Auth.Token", `too many failed sign-ins for this account. Try again in ${seconds} s`);
}
