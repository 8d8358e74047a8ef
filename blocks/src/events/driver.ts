export interface StreamEvent {
  readonly id: string;
  readonly topic: string;
  /** Position in its topic, dense from 0. */
  readonly offset: number;
  readonly timestamp: Date;
  readonly metadata: Readonly<Record<string, string>>;
  readonly payload: Uint8Array;
}

export type NewEvent = Pick<StreamEvent, "timestamp" | "metadata" | "payload">;

export interface ConsumeOptions {
  readonly topic: string;
  /** Consumers of one group share the events; the group's position outlives them. */
  readonly group: string;
  /** Where a group that has no position yet begins: `latest` is only what comes from now on. */
  readonly from: "latest" | "earliest" | Date;
  /** Acknowledge on delivery; otherwise `ack` and `nack` decide. */
  readonly autoAck: boolean;
  /** An event neither acked nor nacked within this is delivered again, in milliseconds. */
  readonly ackWaitMs: number;
  /** Deliveries after the first; then the event is dropped with a log line. -1 for no limit. */
  readonly retryLimit: number;
}

export interface Delivery {
  readonly event: StreamEvent;
  /** 1 for the first delivery. */
  readonly attempt: number;
  ack(): Promise<void>;
  /** Asks for it again. */
  nack(): Promise<void>;
}

/** What a backend must do to hold ordered, durable streams. One topic's events belong to one namespace. `Events` has already validated every argument. */
export interface EventsDriver extends AsyncDisposable {
  readonly name: string;

  /** Appends; resolves when the event survives a crash (if the driver is durable), with its id and offset filled in. */
  publish(namespace: string, topic: string, event: NewEvent, signal: AbortSignal): Promise<StreamEvent>;

  /** The group's next events, in offset order apart from redeliveries, until the signal aborts. Live once the promise resolves. */
  consume(namespace: string, options: ConsumeOptions, signal: AbortSignal): Promise<AsyncIterable<Delivery>>;

  /** Up to `limit` events of exactly this topic from the `offset`-th on, in order. */
  read(namespace: string, topic: string, limit: number, offset: number, signal: AbortSignal): Promise<StreamEvent[]>;
}
