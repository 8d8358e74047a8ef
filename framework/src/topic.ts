import { MicroError } from "@microts/core";
import { broker, type Message, type SubscribeOptions } from "./broker.ts";
import { checkHandle, checkOptions } from "./misuse.ts";
import { processLog } from "./process-log.ts";
import { type Schema, validate } from "./schema/schema.ts";

export interface TopicOptions<Input, Output = Input> {
  /** Any Standard Schema. What doesn't match it can't be published, and isn't given to subscribers. They get what it returns. */
  readonly schema?: Schema<Input, Output>;
}

export interface TopicSubscribeOptions extends SubscribeOptions {
  /** Told of a message that isn't JSON or doesn't match the schema; it is left out. Default: a line in the process's log. */
  readonly onError?: (error: MicroError, message: Message<unknown>) => void;
}

export interface TopicHandleOptions extends SubscribeOptions {
  /** How many messages are handled at once. Default 1. */
  readonly concurrency?: number;
  /** Told of a message that the handler failed, or that isn't one for it. Default: a line in the process's log. */
  readonly onError?: (error: MicroError, message: Message<unknown>) => void;
}

/** One of the tenant's broker topics, with the type of its messages; `*` and `>` may stand for parts of it to subscribe to. Opening it touches nothing. */
export function topic<Input = unknown, Output = Input>(
  name: string,
  options: TopicOptions<Input, Output> = {},
): Topic<Input, Output> {
  return new Topic(name, options);
}

export class Topic<Input, Output = Input> {
  readonly topic: string;
  readonly #schema: Schema<Input, Output> | undefined;

  constructor(name: string, { schema }: TopicOptions<Input, Output>) {
    this.topic = name;
    this.#schema = schema;
  }

  /** Resolves when the platform has handed the message to everybody who was subscribed. */
  async publish(data: Input, header: Readonly<Record<string, string>> = {}): Promise<void> {
    // What is sent is what the caller gave: subscribers apply the schema's defaults and transformations.
    await validate<unknown>(this.#schema, data, (issues) =>
      MicroError.badRequest(
        "broker.Broker.Publish",
        `the message for "${this.topic}" doesn't match its schema: ${issues}`,
      ),
    );
    await broker.publish(this.topic, data, header);
  }

  /**
   * Messages from now on, in each publisher's order, until the signal aborts or the loop is left. When the server goes away it is subscribed anew as soon as
   * the server is back; messages of the time between are lost. Throws when the first subscription fails.
   */
  subscribe(options: TopicSubscribeOptions = {}): AsyncGenerator<Message<Output>, void, undefined> {
    const call = `topic("${this.topic}").subscribe`;
    const example = `for await (const { data } of ${call}({ queue: "…" })) { … }, or topic("${this.topic}").handle({}, async (data) => { … })`;
    checkOptions(options, { call, example });
    return this.#subscribe(options);
  }

  async *#subscribe({
    onError = logged,
    ...options
  }: TopicSubscribeOptions): AsyncGenerator<Message<Output>, void, undefined> {
    for await (const message of broker.subscribe(this.topic, options)) {
      const fitting = await this.#checked(message, onError);
      if (fitting !== undefined) yield fitting;
    }
  }

  /** Calls the handler with every message until the signal aborts. One that it fails is told to `onError`, and the next comes. */
  async handle(given: TopicHandleOptions, handler: (data: Output, message: Message<Output>) => unknown): Promise<void> {
    const call = `topic("${this.topic}").handle`;
    checkHandle(given, handler, { call, example: `${call}({ queue: "…" }, async (data, message) => { … })` });
    const { concurrency = 1, onError = logged, ...options } = given;
    const running = new Set<Promise<void>>();
    for await (const message of this.subscribe({ ...options, onError })) {
      const run = handled(message, handler, onError).finally(() => running.delete(run));
      running.add(run);
      if (running.size >= concurrency) await Promise.race(running);
    }
    await Promise.all(running);
  }

  async #checked(
    message: Message<unknown>,
    onError: (error: MicroError, message: Message<unknown>) => void,
  ): Promise<Message<Output> | undefined> {
    const refused = (what: string) =>
      MicroError.badRequest("broker.Broker.Subscribe", `a message of "${message.topic}" ${what} and is left out`);
    try {
      if (!message.isJson) throw refused("is not JSON");
      const data = await validate(this.#schema, message.data, (issues) =>
        refused(`doesn't match the schema: ${issues}`),
      );
      return { ...message, data };
    } catch (error) {
      onError(MicroError.from(error, "broker.Broker.Subscribe"), message);
      return undefined;
    }
  }
}

async function handled<T>(
  message: Message<T>,
  handler: (data: T, message: Message<T>) => unknown,
  onError: (error: MicroError, message: Message<unknown>) => void,
): Promise<void> {
  try {
    await handler(message.data, message);
  } catch (error) {
    onError(MicroError.from(error, `handler of ${message.topic}`), message);
  }
}

function logged({ detail, cause }: MicroError, { topic }: Message<unknown>): void {
  processLog().error("a message was not handled", { topic, error: cause instanceof Error ? cause.stack : detail });
}
