export interface BrokerMessage {
  /** Where it was published. */
  readonly topic: string;
  readonly header: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
}

/** What happens to a subscriber who falls further behind than the driver can keep: it loses the oldest messages, or its subscription ends with an error. */
export type WhenSlow = "drop" | "disconnect";

export interface Subscription {
  /** A topic, or a pattern: `*` stands for one part, `>` at the end for one or more. */
  readonly topic: string;
  /** Subscribers with the same queue share the messages that they all want; "" for every message. */
  readonly queue: string;
  readonly whenSlow: WhenSlow;
}

/** What a backend must do to carry messages to whoever listens now. At most once: nothing is kept for later. Topics come with their namespace. */
export interface BrokerDriver extends AsyncDisposable {
  readonly name: string;

  /** Resolves when the message was handed to everybody who was subscribed. Nobody listening is not an error. */
  publish(namespace: string, message: BrokerMessage, signal?: AbortSignal): Promise<void>;

  /**
   * Messages from now on until the signal aborts; live once the promise resolves. Each publisher's come in order. Of the members of a queue one gets
   * each message, those who keep up evenly; when one goes, the others get its share. A reader that falls more than a
   * bounded number of messages behind never slows the others: as `whenSlow` says, it loses the oldest, or gets a 429 and nothing more.
   */
  subscribe(namespace: string, wanted: Subscription, signal: AbortSignal): Promise<AsyncIterable<BrokerMessage>>;
}
