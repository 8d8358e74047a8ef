import { checkNamespace, defaultNamespace, MicroError } from "@microts/core";
import type { BlockEntry, BlockListDriver } from "./driver.ts";

const maxIdBytes = 128;
const never = new AbortController().signal;

/**
 * The accounts that the gateway turns away. Asking is answered from memory, so that it costs a request nothing: what other processes change is
 * seen after `refresh`.
 */
export class BlockList {
  readonly #driver: BlockListDriver;
  #blocked: ReadonlySet<string> = new Set();

  constructor(driver: BlockListDriver) {
    this.#driver = driver;
  }

  /** Whether the account is blocked, as of the last change made here or the last `refresh`. */
  isBlocked(id: string, namespace: string): boolean {
    return this.#blocked.size > 0 && this.#blocked.has(keyOf({ id, namespace }));
  }

  /** Reads the list anew. To be called once before serving. */
  async refresh(signal: AbortSignal = never): Promise<void> {
    this.#blocked = new Set((await this.list(signal)).map(keyOf));
  }

  /** Blocks an account, from the next request on; an empty namespace is `micro`. Throws 400 for a bad id or namespace. */
  async add(entry: BlockEntry, signal: AbortSignal = never): Promise<void> {
    const at = "api.Api.AddToBlockList";
    await wrapped(at, this.#driver.add(check(entry, at), signal));
    await this.refresh(signal);
  }

  /** Lets an account in again, from the next request on. Throws 400 for a bad id or namespace. */
  async remove(entry: BlockEntry, signal: AbortSignal = never): Promise<void> {
    const at = "api.Api.RemoveFromBlockList";
    await wrapped(at, this.#driver.remove(check(entry, at), signal));
    await this.refresh(signal);
  }

  /** All entries, by namespace then id. */
  list(signal: AbortSignal = never): Promise<BlockEntry[]> {
    return wrapped("api.Api.ReadBlockList", this.#driver.list(signal));
  }
}

function keyOf({ id, namespace }: BlockEntry): string {
  return `${namespace}:${id}`;
}

function check({ id, namespace }: BlockEntry, at: string): BlockEntry {
  const shown = JSON.stringify(id.slice(0, 40));
  if (id === "" || Buffer.byteLength(id) > maxIdBytes || /\p{C}/u.test(id)) {
    throw MicroError.badRequest(at, `${shown} is not an account id: 1 to ${maxIdBytes} bytes, no control characters`);
  }
  return { id, namespace: checkNamespace(namespace === "" ? defaultNamespace : namespace, at) };
}

async function wrapped<T>(at: string, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw MicroError.from(error, at);
  }
}
