import { randomBytes } from "node:crypto";
import { promisify } from "node:util";
import type { DashboardSession } from "./backend.ts";

const random = promisify(randomBytes);

/** A signed-in browser. */
export interface LiveSession {
  /** 256 random bits, base64url: what the cookie carries. */
  readonly id: string;
  readonly session: DashboardSession;
  /** Aborts at the moment the session ends, and takes its running calls with it. */
  readonly signal: AbortSignal;
}

export interface SessionLimits {
  /** Milliseconds from login to the end, whatever happens. Default 12 hours. */
  readonly absoluteMs?: number;
  /** Milliseconds without use. Default 2 hours. */
  readonly idleMs?: number;
  /** Sessions at one time; one more ends the one that was used longest ago. Default 10 000. */
  readonly count?: number;
  /** Milliseconds, for tests. Default `Date.now`. */
  readonly now?: () => number;
}

export const defaultAbsoluteMs = 12 * 3_600_000;

interface Entry extends LiveSession {
  readonly openedAt: number;
  readonly ending: AbortController;
  usedAt: number;
}

/** The sessions of a dashboard, in memory only: a restart of the server signs everybody out. */
export class Sessions implements Disposable {
  /** In order of use, the oldest first. */
  readonly #entries = new Map<string, Entry>();
  readonly #absoluteMs: number;
  readonly #idleMs: number;
  readonly #count: number;
  readonly #now: () => number;
  readonly #sweep: NodeJS.Timeout;

  constructor({ absoluteMs = defaultAbsoluteMs, idleMs = 2 * 3_600_000, count = 10_000, now }: SessionLimits = {}) {
    this.#absoluteMs = absoluteMs;
    this.#idleMs = idleMs;
    this.#count = count;
    this.#now = now ?? Date.now;
    this.#sweep = setInterval(() => this.sweep(), 60_000).unref();
  }

  async open(session: DashboardSession): Promise<LiveSession> {
    const id = (await random(32)).toString("base64url");
    const ending = new AbortController();
    const now = this.#now();
    const entry: Entry = { id, session, signal: ending.signal, ending, openedAt: now, usedAt: now };
    for (const oldest of this.#entries.keys()) {
      if (this.#entries.size < this.#count) break;
      this.close(oldest);
    }
    this.#entries.set(id, entry);
    return entry;
  }

  /** The session, or undefined when there is none or it has expired. Looking is not using: see `touch`. */
  find(id: string | undefined): LiveSession | undefined {
    const entry = id === undefined ? undefined : this.#entries.get(id);
    if (entry === undefined || this.#isLive(entry)) return entry;
    this.close(entry.id);
    return undefined;
  }

  /** Starts the idle time anew. Called for what a person does, not for what an open page does by itself. */
  touch(id: string): void {
    const entry = this.#entries.get(id);
    if (entry === undefined) return;
    entry.usedAt = this.#now();
    this.#entries.delete(id);
    this.#entries.set(id, entry);
  }

  close(id: string): void {
    const entry = this.#entries.get(id);
    this.#entries.delete(id);
    entry?.ending.abort(new DOMException("the session has ended", "AbortError"));
  }

  /** Ends what has expired. Runs every minute, so that an expired session's streams end too. */
  sweep(): void {
    for (const entry of this.#entries.values()) {
      if (!this.#isLive(entry)) this.close(entry.id);
    }
  }

  [Symbol.dispose](): void {
    clearInterval(this.#sweep);
    for (const id of this.#entries.keys()) this.close(id);
  }

  #isLive({ openedAt, usedAt }: Entry): boolean {
    const now = this.#now();
    return now - openedAt < this.#absoluteMs && now - usedAt < this.#idleMs;
  }
}
