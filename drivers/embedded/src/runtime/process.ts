import { type ChildProcess, spawn } from "node:child_process";
import type { Readable } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import { guardVariable } from "./banner.ts";
import { LineSplitter } from "./line-splitter.ts";
import { killMarked, signalGroup } from "./process-table.ts";
import type { LogStream, ServiceLog } from "./service-log.ts";

/** Carries the identity of a process; everything it starts inherits it. */
export const markVariable = "MICRO_SERVICE_NODE_ID";

export interface ProcessSpec {
  readonly nodeId: string;
  /** The file that Node runs. */
  readonly file: string;
  readonly args: readonly string[];
  readonly folder: string;
  readonly environment: Readonly<Record<string, string>>;
}

/** How a process ended, in words: `exited with code 1`, `was killed by SIGSEGV`, `could not be started: …`. */
export type Ending = string;

const keptLines = 20;
const keptLineLength = 1000;
/** A service that floods its log is held back, so that it has at most a fifth of the server's time. */
const restFactor = 4;
const shortMs = 1;
/** A process that a signal can't end (stuck in the kernel) is given up on. */
const givenUpMs = 5000;

/** One running process of a service and everything that it starts. */
export class ServiceProcess {
  readonly nodeId: string;
  /** Undefined when it could not be started. */
  readonly pid: number | undefined;
  readonly startedAt = new Date();
  /** Resolves once it has ended, nothing that it started is left, and its output is in the log. */
  readonly ended: Promise<Ending>;
  readonly #recent: string[] = [];
  readonly #log: ServiceLog;
  #over = false;

  constructor({ nodeId, file, args, folder, environment }: ProcessSpec, log: ServiceLog) {
    this.nodeId = nodeId;
    this.#log = log;
    const child = spawn(process.execPath, ["--enable-source-maps", file, ...args], {
      cwd: folder,
      env: { ...environment, [guardVariable]: "3" },
      detached: true,
      // The fourth is never written to: that it closes tells the process that the server is gone.
      stdio: ["ignore", "pipe", "pipe", "pipe"],
    });
    this.pid = child.pid;
    child.stdio[3]?.on("error", () => {});
    const output = Promise.all([this.#copy(child.stdout, "stdout"), this.#copy(child.stderr, "stderr")]);
    this.ended = endingOf(child).then(async (ending) => {
      this.#over = true;
      if (this.pid !== undefined) signalGroup(this.pid, "SIGKILL");
      await killMarked(markVariable, nodeId);
      await Promise.race([output, delay(1000, undefined, { ref: false })]);
      for (const stream of child.stdio) stream?.destroy();
      return ending;
    });
  }

  /** Its last 20 lines, for a message: each cut to 1000 characters, control characters escaped. */
  get recentLines(): readonly string[] {
    return this.#recent.map((line) =>
      line.replace(/\p{Cc}/gu, (char) => (char === "\t" ? " " : JSON.stringify(char).slice(1, -1))),
    );
  }

  /** Asks it to end and, when it hasn't within `graceMs`, kills it; either way with all that it started. */
  async stop(graceMs: number): Promise<void> {
    this.#signal("SIGTERM");
    const cancel = new AbortController();
    const force = async () => {
      await delay(graceMs, undefined, { signal: cancel.signal });
      this.#signal("SIGKILL");
      await delay(givenUpMs, undefined, { signal: cancel.signal });
    };
    await Promise.race([this.ended, force()]);
    cancel.abort();
  }

  /** Not after its end: its number may be another program's by then. */
  #signal(signal: NodeJS.Signals): void {
    if (this.pid !== undefined && !this.#over) signalGroup(this.pid, signal);
  }

  async #copy(output: Readable | null, stream: LogStream): Promise<void> {
    if (output === null) return;
    const splitter = new LineSplitter();
    try {
      for await (const chunk of output) {
        const began = performance.now();
        const written = this.#write(stream, splitter.push(chunk as Uint8Array));
        const spent = performance.now() - began;
        await written;
        if (spent > shortMs) await delay(spent * restFactor);
      }
    } catch {
      // The pipe was closed from this side, after the process had ended.
    }
    await this.#write(stream, splitter.end());
  }

  async #write(stream: LogStream, lines: readonly string[]): Promise<void> {
    for (const line of lines.slice(-keptLines)) this.#recent.push(line.slice(0, keptLineLength));
    this.#recent.splice(0, this.#recent.length - keptLines);
    await this.#log.append(stream, lines);
  }
}

function endingOf(child: ChildProcess): Promise<Ending> {
  return new Promise((resolve) => {
    child.once("exit", (code, signal) =>
      resolve(signal === null ? `exited with code ${code}` : `was killed by ${signal}`),
    );
    child.on("error", (error) => {
      if (child.pid === undefined) resolve(`could not be started: ${error.message}`);
    });
  });
}
