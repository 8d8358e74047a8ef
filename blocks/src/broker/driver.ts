export interface BrokerMessage {
  readonly header: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
}

/** What a backend must do to carry messages to whoever listens now. At most once: nothing is kept for later. Topics come with their namespace. */
export interface BrokerDriver extends AsyncDisposable {
  readonly name: string;

  /** Resolves when the message was handed to everybody who was subscribed. Nobody listening is not an error. */
  publish(namespace: string, topic: string, message: BrokerMessage, signal: AbortSignal): Promise<void>;

  /**
   * Messages from now on, in each publisher's order, until the signal aborts. Subscribers that name the same queue share the messages between
   * them; queue "" gets every one. The subscription is live once the promise resolves. A reader that falls more than a bounded number of
   * messages behind loses the oldest and never slows the others.
   */
  subscribe(
    namespace: string,
    topic: string,
    queue: string,
    signal: AbortSignal,
  ): Promise<AsyncIterable<BrokerMessage>>;
}
