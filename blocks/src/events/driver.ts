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
  /** From then on the event is neither read nor delivered; undefined keeps it. */
  readonly expiresAt: Date | undefined;
}

export interface ConsumeOptions {
  readonly topic: string;
  /** Consumers of one group share the events; the group's position outlives them. "" is a group of this consumer alone, forgotten with it. */
  readonly group: string;
  /** Where a group that has no position yet begins: `latest` is only what comes from now on, a date the first event of that time or later. */
  readonly from: "latest" | "earliest" | Date;
  /** An event counts as handled when the next one is asked for; otherwise `ack` and `nack` decide. */
  readonly autoAck: boolean;
  /** An event neither handled nor nacked within this is delivered again, in milliseconds. */
  readonly ackWaitMs: number;
  /** Deliveries after the first; then the event is dropped with a log line. -1 for no limit. */
  readonly retryLimit: number;
}

export interface Delivery {
  readonly event: StreamEvent;
  /** 1 for the first delivery to the group. */
  readonly attempt: number;
  /** The event is handled: the group never gets it again. A second answer does nothing. */
  ack(): Promise<void>;
  /** Asks for it again: soon, and later each time. */
  nack(): Promise<void>;
}

/** What a backend must do to hold ordered, durable streams. One topic's events belong to one namespace. `Events` has already validated every argument. */
export interface EventsDriver extends AsyncDisposable {
  readonly name: string;

  /** Appends; resolves when the event survives a crash (if the driver is durable). */
  publish(namespace: string, topic: string, event: NewEvent, signal: AbortSignal): Promise<void>;

  /**
   * The group's next events, in offset order apart from redeliveries, until the signal aborts. Live once the promise resolves. Each event goes
   * to one consumer of the group; leaving the loop hands what that consumer did not ack to the others at once, aborting when its wait is over.
   */
  consume(namespace: string, options: ConsumeOptions, signal: AbortSignal): Promise<AsyncIterable<Delivery>>;

  /** Events of exactly this topic from `offset` on, in order: up to `limit`, and fewer when they are large, but at least one if there is one. */
  read(namespace: string, topic: string, limit: number, offset: number, signal: AbortSignal): Promise<StreamEvent[]>;
}
