import { type FileHandle, open, rename, rm, stat } from "node:fs/promises";
import type { LogLine } from "@microts/blocks/runtime";
import type { Log } from "@microts/core";
import { LogFollower } from "./log-follower.ts";

export interface ServiceLogOptions {
  /** Names the newest file; `.1` and `.2` are appended for older ones. */
  readonly path: string;
  readonly version: string;
  readonly log: Log;
  /** Default 10 MiB. */
  readonly fileBytes?: number;
}

export type LogStream = "stdout" | "stderr" | "runtime";

export interface LogSelection {
  /** The last so many; 0 for all. */
  readonly count: number;
  readonly since: Date | undefined;
  readonly follow: boolean;
}

const keptFiles = 3;
const defaultFileBytes = 10 * 1024 * 1024;

interface Stored {
  readonly t: string;
  readonly s: string;
  readonly m: string;
}

/**
 * What one version of one service has said: JSON lines in up to three files of 10 MiB, readable by the server's user alone. A disk that can't
 * be written to loses lines, which is logged once, and stops nothing.
 */
export class ServiceLog implements AsyncDisposable {
  readonly #options: ServiceLogOptions;
  readonly #followers = new Set<LogFollower>();
  #file: FileHandle | undefined;
  #size = 0;
  #failed = false;
  #queue: Promise<unknown> = Promise.resolve();

  constructor(options: ServiceLogOptions) {
    this.#options = options;
  }

  /** Appends lines with the time of now. Resolves when they are in the file, so that a writer can be held back. */
  append(stream: LogStream, messages: readonly string[]): Promise<void> {
    if (messages.length === 0) return Promise.resolve();
    const timestamp = new Date();
    const t = timestamp.toISOString();
    const bytes = Buffer.from(
      messages.map((m) => `${JSON.stringify({ t, s: stream, m } satisfies Stored)}\n`).join(""),
    );
    return this.#serialised(async () => {
      await this.#write(bytes);
      for (const follower of this.#followers) {
        for (const message of messages) follower.push(this.#line(timestamp, stream, message));
      }
    });
  }

  /** The lines kept, oldest first, and with `follow` those to come until the signal aborts: none twice, none left out. */
  async *read({ count, since, follow }: LogSelection, signal: AbortSignal): AsyncGenerator<LogLine, void, undefined> {
    const follower = follow ? new LogFollower(signal) : undefined;
    const snapshot = await this.#serialised(async () => {
      if (follower !== undefined) this.#followers.add(follower);
      return this.#open();
    });
    try {
      const kept = this.#stored(snapshot, since, signal);
      yield* count > 0 ? await lastOf(kept, count) : kept;
      if (follower !== undefined) yield* follower;
    } finally {
      if (follower !== undefined) this.#followers.delete(follower);
      await Promise.all(snapshot.map(({ file }) => file.close()));
    }
  }

  /** Ends every reader that follows. */
  endFollowers(): void {
    for (const follower of this.#followers) follower.end();
  }

  /** Closes and removes the files. */
  async remove(): Promise<void> {
    await this[Symbol.asyncDispose]();
    for (let age = 0; age < keptFiles; age++) await rm(this.#path(age), { force: true });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.endFollowers();
    await this.#serialised(async () => {
      await this.#file?.close();
      this.#file = undefined;
    });
  }

  async #write(bytes: Uint8Array): Promise<void> {
    try {
      this.#file ??= await this.#openNewest();
      if (this.#size > 0 && this.#size + bytes.length > (this.#options.fileBytes ?? defaultFileBytes))
        await this.#rotate();
      await this.#file?.writeFile(bytes);
      this.#size += bytes.length;
      this.#failed = false;
    } catch (error) {
      if (!this.#failed)
        this.#options.log.error("lines of a service's log are lost", { path: this.#options.path, error });
      this.#failed = true;
    }
  }

  async #openNewest(): Promise<FileHandle> {
    const file = await open(this.#path(0), "a", 0o600);
    this.#size = (await file.stat()).size;
    return file;
  }

  async #rotate(): Promise<void> {
    await this.#file?.close();
    this.#file = undefined;
    for (let age = keptFiles - 1; age > 0; age--) {
      await rename(this.#path(age - 1), this.#path(age)).catch(() => {});
    }
    this.#file = await this.#openNewest();
  }

  /** The files as they are now, oldest first; renaming and growing don't change what is read from them. */
  async #open(): Promise<{ file: FileHandle; size: number }[]> {
    const snapshot: { file: FileHandle; size: number }[] = [];
    for (let age = keptFiles - 1; age >= 0; age--) {
      const size = (await stat(this.#path(age)).catch(() => undefined))?.size ?? 0;
      if (size > 0) snapshot.push({ file: await open(this.#path(age), "r"), size });
    }
    return snapshot;
  }

  async *#stored(
    snapshot: readonly { file: FileHandle; size: number }[],
    since: Date | undefined,
    signal: AbortSignal,
  ) {
    for (const { file, size } of snapshot) {
      for await (const text of file.readLines({ start: 0, end: size - 1, autoClose: false })) {
        if (signal.aborted) return;
        const line = this.#parse(text);
        if (line !== undefined && (since === undefined || line.timestamp >= since)) yield line;
      }
    }
  }

  /** Undefined for a line that a crash left half written. */
  #parse(text: string): LogLine | undefined {
    try {
      const { t, s, m } = JSON.parse(text) as Stored;
      return this.#line(new Date(t), s, m);
    } catch {
      return undefined;
    }
  }

  #line(timestamp: Date, stream: string, message: string): LogLine {
    return { timestamp, metadata: { stream, version: this.#options.version }, message };
  }

  #path(age: number): string {
    return age === 0 ? this.#options.path : `${this.#options.path}.${age}`;
  }

  #serialised<T>(task: () => Promise<T>): Promise<T> {
    const result = this.#queue.then(task);
    this.#queue = result.catch(() => {});
    return result;
  }
}

async function lastOf(lines: AsyncIterable<LogLine>, count: number): Promise<LogLine[]> {
  const kept: LogLine[] = [];
  for await (const line of lines) {
    kept.push(line);
    if (kept.length >= count * 2 + 1024) kept.splice(0, kept.length - count);
  }
  return kept.slice(-count);
}
