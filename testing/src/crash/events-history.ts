import { deepEqual, equal, ok } from "node:assert/strict";
import { createHash } from "node:crypto";

/** An event of the test: who published it, and which of theirs it is. */
export interface Noted {
  readonly who: string;
  readonly turn: number;
}

/** What a publishing and consuming process noted. */
export type EventsNote =
  /** What a topic holds: a digest of all before `from`, and the rest in order. */
  | {
      readonly kind: "found";
      readonly topic: string;
      readonly from: number;
      readonly digest: string;
      readonly events: readonly Noted[];
    }
  | ({ readonly kind: "began"; readonly topic: string } & Noted)
  /** It was acknowledged. */
  | ({ readonly kind: "done"; readonly topic: string; readonly offset: number } & Noted)
  /** A consumer was given it. */
  | { readonly kind: "given"; readonly topic: string; readonly offset: number }
  /** A consumer's ack of it was acknowledged. */
  | { readonly kind: "acked"; readonly topic: string; readonly offset: number };

interface Topic {
  /** By offset. */
  events: Noted[];
  /** Acknowledged, by offset. */
  readonly done: Map<number, Noted>;
  /** Begun and not acknowledged. A publisher waits for each of its events: one a publisher at most. */
  readonly open: Map<string, Noted>;
  readonly acked: Set<number>;
}

/**
 * Decides whether streams that were killed again and again kept their word: what was acknowledged is there unaltered, once, at its offset;
 * offsets have no gap; each publisher's events are in its order; and nothing comes again that a group was done with.
 */
export class EventsHistory {
  readonly #topics = new Map<string, Topic>();
  acknowledged = 0;
  acked = 0;

  /** Takes what a process noted before it was killed. Throws when that can't be. */
  take(notes: readonly EventsNote[]): void {
    for (const note of notes) {
      const topic = this.#topic(note.topic);
      if (note.kind === "found") found(note.topic, topic, note);
      else if (note.kind === "began") topic.open.set(note.who, { who: note.who, turn: note.turn });
      else if (note.kind === "done") this.#done(topic, note);
      else if (note.kind === "given")
        ok(!topic.acked.has(note.offset), `${note.topic} ${note.offset} came again after its ack was acknowledged`);
      else {
        topic.acked.add(note.offset);
        this.acked++;
      }
    }
  }

  #done(topic: Topic, { who, turn, offset }: Noted & { readonly offset: number }): void {
    deepEqual(topic.open.get(who), { who, turn }, "what was acknowledged had not begun");
    topic.open.delete(who);
    ok(!topic.done.has(offset), `offset ${offset} was given to two events`);
    topic.done.set(offset, { who, turn });
    this.acknowledged++;
  }

  #topic(name: string): Topic {
    const known = this.#topics.get(name) ?? { events: [], done: new Map(), open: new Map(), acked: new Set() };
    this.#topics.set(name, known);
    return known;
  }
}

function found(name: string, topic: Topic, note: Extract<EventsNote, { kind: "found" }>): void {
  ok(note.from <= topic.events.length, "the digest is of what is not known");
  equal(note.digest, digestOf(topic.events.slice(0, note.from)), `${name}: an old event is lost or altered`);
  const all = [...topic.events.slice(0, note.from), ...note.events];
  deepEqual(
    all.slice(0, topic.events.length),
    topic.events,
    `${name}: an event of an earlier round is lost or altered`,
  );
  for (const [offset, event] of topic.done)
    deepEqual(all[offset], event, `${name}: what was acknowledged at offset ${offset} is lost or altered`);
  const fresh = all.slice(topic.events.length);
  const begun = new Map([...topic.done.values(), ...topic.open.values()].map((event) => [keyOf(event), event]));
  const last = new Map<string, number>();
  for (const event of fresh) {
    ok(begun.delete(keyOf(event)), `${name}: ${keyOf(event)} is there twice, or was never published`);
    ok(event.turn > (last.get(event.who) ?? -1), `${name}: the events of ${event.who} are out of order`);
    last.set(event.who, event.turn);
  }
  topic.events = all;
  topic.done.clear();
  topic.open.clear();
}

/** Of events in their order. */
export function digestOf(events: readonly Noted[]): string {
  const hash = createHash("sha256");
  for (const event of events) hash.update(`${keyOf(event)}\n`);
  return hash.digest("base64");
}

function keyOf({ who, turn }: Noted): string {
  return `${who}/${turn}`;
}
