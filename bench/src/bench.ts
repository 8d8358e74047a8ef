import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ServerProcess } from "./server-process.ts";

/** What a row runs on: processes, a folder on disk and a signal, all of which end with it. */
export class Bench implements AsyncDisposable {
  readonly signal: AbortSignal;
  /** Removed at the end. */
  readonly folder: string;
  readonly #stack = new AsyncDisposableStack();
  readonly #servers = new Map<string, ServerProcess>();

  private constructor(folder: string, signal: AbortSignal) {
    this.folder = folder;
    this.signal = signal;
    this.#stack.defer(() => rm(folder, { recursive: true, force: true, maxRetries: 3 }));
  }

  static async open(signal: AbortSignal): Promise<Bench> {
    return new Bench(await mkdtemp(join(tmpdir(), "micro-bench-")), signal);
  }

  /** A server process that was started under this name. */
  server(name: string): ServerProcess {
    const server = this.#servers.get(name);
    if (server === undefined) throw new Error(`no server was started as ${name}`);
    return server;
  }

  /** An empty folder below the bench's. */
  async newFolder(name: string): Promise<string> {
    const path = join(this.folder, name);
    await mkdir(path, { recursive: true });
    return path;
  }

  /** Closes it with the bench, before whatever was opened earlier. */
  use<T extends AsyncDisposable>(resource: T): T {
    return this.#stack.use(resource);
  }

  /** Starts a server that says where it listens through `announce` and resolves with what it said. */
  async serve(name: string, file: string, args: readonly string[] = [], options?: StartOptions): Promise<Announcement> {
    const server = this.start(name, file, args, options);
    return (await server.message()) as Announcement;
  }

  /** Starts a Node.js file that runs until the bench is over. */
  start(name: string, file: string, args: readonly string[], options: StartOptions = {}): ServerProcess {
    const { env = process.env, isProfiled = true, network } = options;
    const log = join(this.folder, `${name}.log`);
    const server = this.use(new ServerProcess(file, args, { env, isProfiled, log, network }));
    this.#servers.set(name, server);
    return server;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }
}

export interface StartOptions {
  /** Default: the environment of the bench. */
  readonly env?: NodeJS.ProcessEnv;
  /** Whether the profiler is loaded into it, which takes part in its start and memory. Default true. */
  readonly isProfiled?: boolean;
  /** The network namespace that it runs in, as a file of /proc. Default: the one of the bench. */
  readonly network?: string;
}

/** What a server tells the load process. */
export interface Announcement {
  /** `host:port`. */
  readonly address: string;
  /** An `authorization` value that it accepts, if it asks for one. */
  readonly authorization?: string;
}
