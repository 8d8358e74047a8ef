/** What a client did to an object that others use at the same time. */
export interface Operation<Call> {
  /** What it asked for, and what it was told if it was. */
  readonly call: Call;
  /** When it asked and when it had the answer, on one clock that gives no time twice. */
  readonly invokedAt: number;
  /** Without an answer: until when it may take effect, `Infinity` for ever. */
  readonly returnedAt: number;
  /** It got no answer: it took effect at some time in between, or never. */
  readonly isUnknown: boolean;
}

/** The object as it would be with one client. */
export interface Model<State, Call> {
  readonly initial: State;
  /** The state after a call; undefined when the call can't have been answered so in this state, or changes nothing that was not answered. */
  step(state: State, call: Call): State | undefined;
  /** The same text for the same state only. */
  textOf(state: State): string;
}

/** One way in which it may have been: calls under way that have taken effect already, and the state that came of it. */
interface World<State> {
  /** Those that will be answered. */
  readonly done: readonly number[];
  /** Those that won't. */
  readonly spent: readonly number[];
  readonly state: State;
}

/** More ways than this are taken for a history that can't be decided rather than for one that is right or wrong. */
const maxWorlds = 200_000;

/**
 * Whether there is an order of the operations, each at one moment between its call and its answer, in which the model gives the same answers
 * (Herlihy and Wing 1990). Undefined when there is; otherwise the first answer that no order explains, in words. Follows all possible worlds
 * from event to event and lets an operation take effect no sooner than an answer needs it (Wing and Gong 1993, Lowe 2017).
 */
export function inexplicable<State, Call>(
  model: Model<State, Call>,
  history: readonly Operation<Call>[],
): string | undefined {
  const underWay = new Set<number>();
  let worlds: Iterable<World<State>> = [{ done: [], spent: [], state: model.initial }];
  for (const { at, isReturn } of eventsOf(history)) {
    const operation = history[at];
    if (operation === undefined) continue;
    if (!isReturn) {
      underWay.add(at);
      continue;
    }
    const reached = explore(model, history, worlds, underWay, operation.isUnknown ? undefined : at);
    underWay.delete(at);
    const left = new Worlds(model);
    const others = (all: readonly number[]) => all.filter((each) => each !== at);
    for (const { done, spent, state } of reached) left.add({ done: others(done), spent: others(spent), state });
    if (left.size === 0) {
      const states = new Set([...worlds].map(({ state }) => model.textOf(state)));
      return `${JSON.stringify(operation.call)} at ${operation.invokedAt}–${operation.returnedAt}, when all before left ${[...states].join(" or ")}`;
    }
    worlds = left;
  }
  return undefined;
}

/**
 * Different worlds. One in which fewer unanswered calls are spent, all else being the same, makes another needless: what follows from that
 * follows from it too.
 */
class Worlds<State> implements Iterable<World<State>> {
  readonly #model: Model<State, never>;
  readonly #alike = new Map<string, World<State>[]>();
  size = 0;

  constructor(model: Model<State, never>) {
    this.#model = model;
  }

  /** False when there is one like it or better already. */
  add(world: World<State>): boolean {
    const text = `${world.done.join(",")} ${this.#model.textOf(world.state)}`;
    const alike = this.#alike.get(text) ?? [];
    if (alike.some(({ spent }) => isWithin(spent, world.spent))) return false;
    const kept = alike.filter(({ spent }) => !isWithin(world.spent, spent));
    this.size += 1 + kept.length - alike.length;
    if (this.size > maxWorlds) throw new Error(`more than ${maxWorlds} ways at once: too much is under way to decide`);
    this.#alike.set(text, [...kept, world]);
    return true;
  }

  *[Symbol.iterator](): Generator<World<State>, void, undefined> {
    for (const alike of this.#alike.values()) yield* alike;
  }
}

function isWithin(some: readonly number[], all: readonly number[]): boolean {
  return some.length <= all.length && some.every((each) => all.includes(each));
}

/** Calls and answers in the order of their times. What has no end needs none. */
function eventsOf(history: readonly Operation<unknown>[]): { at: number; isReturn: boolean }[] {
  const events = history.flatMap(({ invokedAt, returnedAt }, at) => [
    { at, isReturn: false, time: invokedAt },
    ...(Number.isFinite(returnedAt) ? [{ at, isReturn: true, time: returnedAt }] : []),
  ]);
  return events.sort((a, b) => a.time - b.time);
}

/** All worlds that calls under way may lead to: those in which `wanted` has taken effect, or all when none is wanted. */
function explore<State, Call>(
  model: Model<State, Call>,
  history: readonly Operation<Call>[],
  worlds: Iterable<World<State>>,
  underWay: ReadonlySet<number>,
  wanted: number | undefined,
): World<State>[] {
  const seen = new Worlds(model);
  const reached: World<State>[] = [];
  // Those with the fewest spent first, which make others needless.
  let open = [...worlds];
  for (const world of open) seen.add(world);
  while (open.length > 0) {
    const isThere = ({ done }: World<State>) => wanted === undefined || done.includes(wanted);
    reached.push(...open.filter(isThere));
    const from = open.filter((world) => wanted === undefined || !isThere(world));
    open = from.flatMap((world) =>
      [...underWay].flatMap((at) => after(model, history, world, at) ?? []).filter((each) => seen.add(each)),
    );
  }
  return reached;
}

/** The world in which one more call has taken effect; undefined where it has, or can't. */
function after<State, Call>(
  model: Model<State, Call>,
  history: readonly Operation<Call>[],
  { done, spent, state }: World<State>,
  at: number,
): World<State> | undefined {
  const operation = history[at];
  if (operation === undefined || done.includes(at) || spent.includes(at)) return undefined;
  const next = model.step(state, operation.call);
  if (next === undefined) return undefined;
  const more = (all: readonly number[]) => [...all, at].sort((a, b) => a - b);
  return operation.isUnknown ? { done, spent: more(spent), state: next } : { done: more(done), spent, state: next };
}
