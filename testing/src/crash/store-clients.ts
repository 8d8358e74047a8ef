import { setTimeout as delay } from "node:timers/promises";
import { RemoteStore, type StoredRecord, type StoreRecord } from "@microts/blocks/store";
import { RpcClient } from "@microts/core/rpc";
import type { Operation } from "../linearizable/checker.ts";
import type { RegisterCall } from "../linearizable/register.ts";
import { Random } from "./random.ts";

/** A call that has no answer by then gets none. */
const patienceMs = 400;
/** After a call that failed: the server may be gone. */
const pauseMs = 5;
const table = { database: "micro", table: "registers" };

/** What a client saw last of a key. */
interface Seen {
  readonly value: string | undefined;
  readonly revision: number;
}

export interface StoreClientsOptions {
  readonly clients: number;
  readonly keys: readonly string[];
  readonly seed: number;
  /** Where the server listens; resolves when it does. */
  address(): Promise<string>;
}

/** Clients that read, write, delete and compare-and-set the same few keys at the same time, each one call after the other, and write down what they were told. */
export class StoreClients {
  readonly #options: StoreClientsOptions;
  readonly #history = new Map<string, Operation<RegisterCall>[]>();
  /** Of the server: after one, what was given up before has no effect any more. */
  readonly #deaths: number[] = [];
  readonly #revisions = new Map<string, number>();
  #time = 0;
  #isOver = false;
  /** Calls that were answered. */
  answered = 0;
  /** Of them, compare-and-sets that were made, and refused. */
  readonly swaps = { done: 0, refused: 0 };
  /** Changes without an answer. */
  unknown = 0;

  constructor(options: StoreClientsOptions) {
    this.#options = options;
    for (const key of options.keys) this.#history.set(key, []);
  }

  /** Resolves once `stop` was called. */
  async run(): Promise<void> {
    const { clients } = this.#options;
    await Promise.all(Array.from({ length: clients }, (_, index) => this.#client(index)));
  }

  stop(): void {
    this.#isOver = true;
  }

  /** The server's process has ended. */
  died(): void {
    this.#deaths.push(++this.#time);
  }

  /** What was done to each key. */
  histories(): ReadonlyMap<string, readonly Operation<RegisterCall>[]> {
    const withRevision = ({ call, ...rest }: Operation<RegisterCall>): Operation<RegisterCall> => {
      if (call.kind === "read" || call.revision !== undefined || call.value === undefined) return { call, ...rest };
      return { call: { ...call, revision: this.#revisions.get(call.value) }, ...rest };
    };
    return new Map(
      [...this.#history].map(([key, operations]) => [key, operations.map((each) => this.#ended(withRevision(each)))]),
    );
  }

  async #client(index: number): Promise<void> {
    const { seed, clients, keys, address } = this.#options;
    const random = new Random(seed * clients + index);
    await using rpc = new RpcClient({ resolve: address });
    const store = new RemoteStore(rpc);
    const seen = new Map<string, Seen>();
    for (let turn = 0; !this.#isOver; turn++) {
      // Calls of nobody would only make for changes that may or may not have been.
      await address();
      const key = random.pick(keys);
      const at = { key, store, seen, value: `${index}.${turn}` };
      const kind = random.below(20);
      if (kind < 8) await this.#read(at);
      else if (kind < 11) await this.#write(at);
      else if (kind < 12) await this.#write({ ...at, value: undefined });
      else await this.#swap(random.below(10) === 0 ? { ...at, value: undefined } : at);
    }
  }

  async #read({ key, store, seen }: Turn): Promise<void> {
    const call = await this.#timed(key, async (signal) => {
      const record = await store.read(table, key, signal);
      const value = record && textOf(record);
      this.#told(value, record?.revision);
      seen.set(key, { value, revision: record?.revision ?? 0 });
      return { kind: "read" as const, value };
    });
    // A read that wasn't answered is none.
    if (call !== undefined) this.answered++;
  }

  async #write({ key, store, seen, value }: Turn): Promise<void> {
    const asked = { kind: "write" as const, value };
    await this.#timed(
      key,
      async (signal) => {
        if (value === undefined) {
          await store.delete(table, key, signal);
          seen.set(key, { value, revision: 0 });
          return asked;
        }
        const revision = await store.write(table, recordOf(key, value), signal);
        this.#told(value, revision);
        seen.set(key, { value, revision });
        return { ...asked, revision };
      },
      asked,
    );
  }

  async #swap({ key, store, seen, value }: Turn): Promise<void> {
    const { value: expected, revision: ifRevision } = seen.get(key) ?? { value: undefined, revision: 0 };
    const asked = { kind: "swap" as const, expected, value, isDone: undefined };
    await this.#timed(
      key,
      async (signal) => {
        const record = value === undefined ? undefined : recordOf(key, value);
        const revision = await store.commit(table, [{ key, record, ifRevision }], signal);
        const isDone = revision !== undefined;
        this.swaps[isDone ? "done" : "refused"]++;
        if (!isDone) return { ...asked, isDone };
        this.#told(value, revision);
        seen.set(key, { value, revision: value === undefined ? 0 : revision });
        // Deleting what isn't there has no revision.
        return { ...asked, isDone, revision: revision === 0 ? undefined : revision };
      },
      asked,
    );
  }

  /** Writes down the call with its answer; without one, if it may have changed something, as `asked`. */
  async #timed(
    key: string,
    ask: (signal: AbortSignal) => Promise<RegisterCall>,
    asked?: RegisterCall,
  ): Promise<RegisterCall | undefined> {
    const invokedAt = ++this.#time;
    const call = await ask(AbortSignal.timeout(patienceMs)).catch((error: unknown) => {
      if (error instanceof WrongRevision) throw error;
      return undefined;
    });
    const returnedAt = ++this.#time;
    if (call !== undefined) this.#history.get(key)?.push({ call, invokedAt, returnedAt, isUnknown: false });
    else if (asked !== undefined) this.#history.get(key)?.push({ call: asked, invokedAt, returnedAt, isUnknown: true });
    if (call !== undefined && call.kind !== "read") this.answered++;
    if (call === undefined && asked !== undefined) this.unknown++;
    if (call === undefined) await delay(pauseMs);
    return call;
  }

  /** What got no answer may take effect until the server has died after that. */
  #ended(operation: Operation<RegisterCall>): Operation<RegisterCall> {
    if (!operation.isUnknown) return operation;
    const death = this.#deaths.find((time) => time > operation.returnedAt);
    return { ...operation, returnedAt: death ?? Number.POSITIVE_INFINITY };
  }

  #told(value: string | undefined, revision: number | undefined): void {
    if (value === undefined || revision === undefined) return;
    const before = this.#revisions.get(value) ?? revision;
    if (before !== revision) throw new WrongRevision(`${value} has the revision ${revision} and had ${before}`);
    this.#revisions.set(value, revision);
  }
}

interface Turn {
  readonly key: string;
  readonly store: RemoteStore;
  readonly seen: Map<string, Seen>;
  readonly value: string | undefined;
}

class WrongRevision extends Error {}

function recordOf(key: string, value: string): StoreRecord {
  return { key, value: Buffer.from(value), metadata: {}, expiresAt: undefined };
}

function textOf({ value }: StoredRecord): string {
  return Buffer.from(value).toString();
}
