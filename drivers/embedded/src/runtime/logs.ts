import { createHash } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { Log } from "@microts/core";
import { ServiceLog } from "./service-log.ts";

/** Whose log it is. */
export interface LogKey {
  readonly namespace: string;
  readonly name: string;
  readonly version: string;
}

/** The logs of all services, in one folder, each under a hash of its namespace, name and version. */
export class ServiceLogs implements AsyncDisposable {
  readonly #dir: string;
  readonly #log: Log;
  readonly #open = new Map<string, ServiceLog>();

  constructor(dir: string, log: Log) {
    this.#dir = dir;
    this.#log = log;
  }

  /** Makes the folder. */
  async prepare(): Promise<void> {
    await mkdir(this.#dir, { recursive: true, mode: 0o700 });
  }

  of({ namespace, name, version }: LogKey): ServiceLog {
    const hash = createHash("sha256")
      .update(JSON.stringify([namespace, name, version]))
      .digest("hex")
      .slice(0, 40);
    const known = this.#open.get(hash);
    if (known !== undefined) return known;
    const log = new ServiceLog({ path: join(this.#dir, `${hash}.ndjson`), version, log: this.#log });
    this.#open.set(hash, log);
    return log;
  }

  /** Ends the log's readers and removes what it holds. */
  async remove(key: LogKey): Promise<void> {
    await this.of(key).remove();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#open.values()].map((log) => log[Symbol.asyncDispose]()));
    this.#open.clear();
  }
}
