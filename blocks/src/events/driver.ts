export interface StreamEvent {
  readonly id: string;
  readonly topic: string;
  /** Position in its topic, dense from 0. */
  readonly offset: number;
  readonly timestamp: Date;
  readonly metadata: Readonly<Record<string, string>>;
  readonly payload: Uint8Array;
}

export interface NewEvent extends Pick<StreamEvent, "timestamp" | "metadata" | "payload"> {
  /** Publishing the same id again within the topic's window appends nothing. Undefined: the driver makes one up. */
  readonly id: string | undefined;
  /** From then on the event is neither read nor delivered; undefined keeps it. */
  readonly expiresAt: Date | undefined;
}

export interface Published {
  readonly id: string;
  readonly offset: number;
  /** An event of this id was there already; the offset is that event's. */
  readonly duplicate: boolean;
}

/** A place in a topic: its end, its first event, an offset, or the first event of that time or later. */
export type Position = "latest" | "earliest" | number | Date;

export interface ConsumeOptions {
  readonly topic: string;
  /** Consumers of one group share the events; the group's position outlives them. "" is a group of this consumer alone, forgotten with it. */
  readonly group: string;
  /** Where a group that has no position yet begins. */
  readonly from: Position;
  /** An event counts as handled when the next one is asked for; otherwise `ack` and `nack` decide. */
  readonly autoAck: boolean;
  /** An event neither handled nor nacked within this is delivered again, in milliseconds. */
  readonly ackWaitMs: number;
  /** Deliveries after the first; then the event goes to the dead-letter topic. -1 for no limit. */
  readonly retryLimit: number;
  /** Where events go that nobody handled, with the reason; undefined drops them with a log line. */
  readonly deadLetter: string | undefined;
  /** The consumer gets no more while it has so many without an answer. */
  readonly maxUnanswered: number;
}

export interface Delivery {
  readonly event: StreamEvent;
  /** 1 for the first delivery to the group. */
  readonly attempt: number;
  /** The event is handled: the group never gets it again. A second answer does nothing. */
  ack(): Promise<void>;
  /** Asks for it again: soon, and later each time. The reason goes along when it becomes a dead letter. */
  nack(reason?: string): Promise<void>;
  /** Trying again would not help: it becomes a dead letter at once. */
  reject(reason: string): Promise<void>;
  /** Still at it: the wait for an answer begins anew. */
  extend(): Promise<void>;
  /** Not looked at: the next consumer gets it at once, and this delivery doesn't count as an attempt. */
  release(): Promise<void>;
}

export interface ReadRange {
  /** Inclusive. */
  readonly from: Position;
  /** Exclusive; undefined for the end of the topic. */
  readonly until: Position | undefined;
  readonly limit: number;
}

/** Events that should be there and can't be read. */
export interface Damage {
  /** Of the first of them. */
  readonly offset: number;
  readonly count: number;
  readonly reason: "checksum" | "missing";
}

export interface EventPage {
  readonly events: StreamEvent[];
  readonly damaged: Damage[];
  /** Where to go on: everything before it was read, is gone, or is damaged. */
  readonly next: number;
  /** The first offset that the topic keeps, and the one that its next event will have. */
  readonly first: number;
  readonly end: number;
}

/** What a topic keeps, and for how long; what is undefined has no limit. */
export interface TopicSettings {
  readonly maxAgeMs?: number | undefined;
  readonly maxBytes?: number | undefined;
  readonly maxEvents?: number | undefined;
  /** How long the id of an event is remembered, in milliseconds. Undefined is the driver's default. */
  readonly dedupeMs?: number | undefined;
}

export interface TopicInfo {
  readonly topic: string;
  readonly first: number;
  readonly end: number;
  /** Of the events that are kept, as they are stored. */
  readonly bytes: number;
  readonly settings: TopicSettings;
}

export interface GroupInfo {
  readonly group: string;
  /** The first offset that the group is not done with. */
  readonly position: number;
  /** How many events it is not done with. */
  readonly lag: number;
  /** How many of those are with consumers, or wait to be given out again. */
  readonly unanswered: number;
  readonly consumers: number;
  readonly usedAt: Date;
}

/** What a backend must do to hold ordered, durable streams. One topic's events belong to one namespace. `Events` has already validated every argument. */
export interface EventsDriver extends AsyncDisposable {
  readonly name: string;

  /** Appends; resolves when the event survives a crash (if the driver is durable). An id published again within the window appends nothing. */
  publish(namespace: string, topic: string, event: NewEvent, signal: AbortSignal): Promise<Published>;

  /**
   * The group's next events, in offset order apart from redeliveries, until the signal aborts. Live once the promise resolves. Each event goes
   * to one consumer of the group; leaving the loop hands what that consumer did not ack to the others at once, aborting when its wait is over.
   */
  consume(namespace: string, options: ConsumeOptions, signal: AbortSignal): Promise<AsyncIterable<Delivery>>;

  /**
   * Events of exactly this topic, in order: up to the limit, and fewer when they are large, but it gets on by at least one offset when there is
   * one in the range. A damaged event is named, and hides no other.
   */
  read(namespace: string, topic: string, range: ReadRange, signal: AbortSignal): Promise<EventPage>;

  /** The topics of a namespace by the bytes of their names. One that was only consumed is there no longer than its consumers and groups. */
  topics(namespace: string, signal: AbortSignal): Promise<TopicInfo[]>;

  /** The groups of a topic that have a name, by its bytes. */
  groups(namespace: string, topic: string, signal: AbortSignal): Promise<GroupInfo[]>;

  /**
   * Moves a group, which is made if it isn't there: it gets what comes from that position on, and its consumers' answers to what they got
   * before do nothing. Resolves with the offset when that is durable.
   */
  seek(namespace: string, topic: string, group: string, to: Position, signal: AbortSignal): Promise<number>;

  /** Replaces the settings of a topic, which is made if it isn't there. What exceeds them is deleted from disk soon, oldest first. */
  configure(namespace: string, topic: string, settings: TopicSettings, signal: AbortSignal): Promise<void>;

  /**
   * Deletes a topic with its events, groups and remembered ids: all of it is gone for everybody once this resolves, or after a crash all or
   * nothing; a topic of that name begins anew. Its consumers throw 404. Throws 404 when there is none.
   */
  deleteTopic(namespace: string, topic: string, signal: AbortSignal): Promise<void>;

  /** Deletes a group with its position. Its consumers throw 404. Throws 404 when there is none. */
  deleteGroup(namespace: string, topic: string, group: string, signal: AbortSignal): Promise<void>;
}
