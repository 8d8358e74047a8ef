/** Something that ends when its time is up. The wheel keeps its place in the three fields; they belong to it. */
export interface Timed {
  wheelNext: Timed | undefined;
  wheelPrevious: Timed | undefined;
  /** Due in ticks. */
  wheelDue: number;
  onDeadline(): void;
}

/** The ends of lists, each its own first and last. */
type Lists = (Timed | undefined)[];

const tickMs = 8;
const slots = 256;
const mask = slots - 1;

/**
 * All deadlines of the process in one hierarchical timing wheel (Varghese and Lauck, 1987) of 8 ms ticks: to begin and to end a call costs a
 * few assignments instead of a timer. A deadline may be up to 8 ms late, never early, and holds no process.
 */
class DeadlineWheel {
  /** Lists by slot, made when something is first put into one: most processes end before they have used many. */
  readonly #fine: Lists = Array(slots).fill(undefined);
  readonly #coarse: Lists = Array(slots).fill(undefined);
  readonly #far = sentinel();
  #now = 0;
  #count = 0;
  #timer: NodeJS.Timeout | undefined;
  #timerTick = 0;

  /** Calls `timed.onDeadline()` in `inMs` milliseconds, unless it is removed before. */
  add(timed: Timed, inMs: number): void {
    const now = nowMs();
    if (this.#count === 0) this.#now = Math.floor(now / tickMs);
    this.#count++;
    timed.wheelDue = Math.max(this.#now + 1, Math.ceil((now + inMs) / tickMs));
    this.#place(timed);
    const isFine = timed.wheelDue - this.#now < slots;
    this.#schedule(isFine ? timed.wheelDue : this.#turn());
  }

  /** Forgets it; does nothing when it isn't in the wheel. */
  remove(timed: Timed): void {
    if (timed.wheelNext === undefined) return;
    unlink(timed);
    if (--this.#count === 0) this.#unschedule();
  }

  #place(timed: Timed): void {
    const { wheelDue: due } = timed;
    if (due - this.#now < slots) link(listAt(this.#fine, due), timed);
    else if (coarseOf(due) - coarseOf(this.#now) < slots) link(listAt(this.#coarse, coarseOf(due)), timed);
    else link(this.#far, timed);
  }

  #schedule(tick: number): void {
    if (this.#timer !== undefined && this.#timerTick <= tick) return;
    if (this.#timer !== undefined) clearTimeout(this.#timer);
    this.#timerTick = tick;
    const inMs = tick * tickMs - nowMs();
    this.#timer = setTimeout(() => this.#advance(), Math.max(1, Math.ceil(inMs))).unref();
  }

  #unschedule(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #advance(): void {
    this.#timer = undefined;
    const until = Math.floor(nowMs() / tickMs);
    while (this.#now < until && this.#count > 0) {
      this.#now++;
      if ((this.#now & mask) === 0) this.#cascade();
      this.#expire(this.#fine[this.#now & mask]);
    }
    if (this.#count > 0) this.#schedule(this.#nextTick());
  }

  #cascade(): void {
    const coarse = coarseOf(this.#now);
    if ((coarse & mask) === 0) this.#placeAgain(this.#far);
    this.#placeAgain(this.#coarse[coarse & mask]);
  }

  #placeAgain(list: Timed | undefined): void {
    if (list === undefined) return;
    let timed = list.wheelNext as Timed;
    list.wheelNext = list.wheelPrevious = list;
    while (timed !== list) {
      const next = timed.wheelNext as Timed;
      this.#place(timed);
      timed = next;
    }
  }

  #expire(list: Timed | undefined): void {
    if (list === undefined) return;
    for (let timed = list.wheelNext as Timed; timed !== list; timed = list.wheelNext as Timed) {
      unlink(timed);
      this.#count--;
      timed.onDeadline();
    }
  }

  /** The tick at which the coarse wheel turns next. */
  #turn(): number {
    return this.#now - (this.#now & mask) + slots;
  }

  /** The next tick with something to do: a filled fine slot, or the turn of the coarse wheel. */
  #nextTick(): number {
    const turn = this.#turn();
    for (let tick = this.#now + 1; tick < turn; tick++) {
      const slot = this.#fine[tick & mask];
      if (slot !== undefined && slot.wheelNext !== slot) return tick;
    }
    return turn;
  }
}

/** Not performance.now(), whose first use loads node:perf_hooks: that takes as long as a good part of a short command. */
function nowMs(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1000 + nanoseconds / 1e6;
}

/** The tick in the coarse wheel. No shift: after 198 days there are more ticks than those 32 bits hold that it works on. */
function coarseOf(tick: number): number {
  return Math.floor(tick / slots);
}

function listAt(lists: Lists, slot: number): Timed {
  const list = lists[slot & mask] ?? sentinel();
  lists[slot & mask] = list;
  return list;
}

function link(list: Timed, timed: Timed): void {
  const last = list.wheelPrevious as Timed;
  timed.wheelNext = list;
  timed.wheelPrevious = last;
  last.wheelNext = timed;
  list.wheelPrevious = timed;
}

function unlink(timed: Timed): void {
  const { wheelNext: next, wheelPrevious: previous } = timed as { wheelNext: Timed; wheelPrevious: Timed };
  previous.wheelNext = next;
  next.wheelPrevious = previous;
  timed.wheelNext = timed.wheelPrevious = undefined;
}

function sentinel(): Timed {
  const list: Timed = { wheelNext: undefined, wheelPrevious: undefined, wheelDue: 0, onDeadline() {} };
  list.wheelNext = list.wheelPrevious = list;
  return list;
}

/** The wheel of this process. */
export const deadlines: Pick<DeadlineWheel, "add" | "remove"> = new DeadlineWheel();
