import { type ChildProcess, type ForkOptions, fork, type StdioOptions } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import type { Costs } from "./profile.ts";

export interface ServerProcessOptions {
  readonly env: NodeJS.ProcessEnv;
  /** Whether `startProfile` works. */
  readonly isProfiled: boolean;
  /** The file that gets its standard error. */
  readonly log: string;
  /** The network namespace that it runs in, as a file of /proc. Default: the one of the bench. */
  readonly network?: string | undefined;
}

const graceMs = 10_000;
const outputKept = 10_000;
const settledMs = 1_500;
const settledShare = 0.05;
/** Linux tells times of processes in hundredths of a second on every machine that Node.js runs on. */
const clockTicks = 100;
const profiler = new URL("./profiled.ts", import.meta.url).href;

/** A Node.js process that the bench started and ends, by its id. */
export class ServerProcess implements AsyncDisposable {
  readonly #process: ChildProcess;
  readonly #words: string;
  readonly #ended: Promise<unknown>;
  readonly #log: string;
  #output = "";

  constructor(file: string, args: readonly string[], { env, isProfiled, log, network }: ServerProcessOptions) {
    this.#words = [file, ...args].join(" ");
    this.#log = log;
    const logFile = openSync(log, "a");
    const stdio = ["ignore", "pipe", logFile, "ipc"] satisfies StdioOptions;
    const nodeArgs = isProfiled ? ["--import", profiler] : [];
    this.#process = fork(file, args, { env, stdio, ...commandOf(nodeArgs, network) });
    closeSync(logFile);
    const atExit = () => this.#process.kill("SIGKILL");
    process.once("exit", atExit);
    this.#process.stdout?.setEncoding("utf8").on("data", (text: string) => {
      this.#output = (this.#output + text).slice(-outputKept);
    });
    this.#ended = once(this.#process, "close");
    this.#ended.then(
      () => process.off("exit", atExit),
      () => {},
    );
  }

  /** Its resident memory in MiB, as Linux counts it. */
  async residentMiB(): Promise<number> {
    const text = await readFile(`/proc/${this.#process.pid}/status`, "utf8");
    return Number(/^VmRSS:\s+(\d+) kB$/m.exec(text)?.[1]) / 1024;
  }

  /** Resolves when it has done next to nothing for a while, whatever it did after its start. */
  async settled(signal: AbortSignal): Promise<void> {
    for (let busyMs = Number.POSITIVE_INFINITY; busyMs > settledMs * settledShare; ) {
      const before = await this.#cpuMs();
      await delay(settledMs, undefined, { signal });
      busyMs = (await this.#cpuMs()) - before;
    }
  }

  async #cpuMs(): Promise<number> {
    const text = await readFile(`/proc/${this.#process.pid}/stat`, "utf8");
    // After the name in brackets, which may have anything in it: the state is the third field, the times are the 14th and 15th.
    const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
    return (Number(fields[11]) + Number(fields[12])) * (1000 / clockTicks);
  }

  /** The next message it sends. */
  async message(): Promise<unknown> {
    const [message] = await this.#unlessEnded(once(this.#process, "message"));
    return message;
  }

  /** The first match in its standard output. */
  async saying(pattern: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      const found = pattern.exec(this.#output);
      if (found !== null) return found;
      if (this.#process.stdout === null) throw new Error(`${this.#words} has no standard output`);
      await this.#unlessEnded(once(this.#process.stdout, "data"));
    }
  }

  send(message: string): void {
    this.#process.send(message);
  }

  startProfile(): void {
    this.send("start profile");
  }

  async stopProfile(): Promise<Costs> {
    const answer = this.message();
    this.send("stop profile");
    return (await answer) as Costs;
  }

  /** Asks it to end, and ends it when it doesn't. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#process.exitCode === null && this.#process.signalCode === null) this.#process.kill("SIGTERM");
    const late = setTimeout(() => this.#process.kill("SIGKILL"), graceMs);
    await this.#ended;
    clearTimeout(late);
  }

  async #unlessEnded<T>(happening: Promise<T>): Promise<T> {
    const ended = this.#ended.then(async () => {
      const errors = await readFile(this.#log, "utf8");
      throw new Error(`${this.#words} has ended: ${errors.slice(-outputKept)}${this.#output}`);
    });
    return Promise.race([happening, ended]);
  }
}

function commandOf(
  nodeArgs: readonly string[],
  network: string | undefined,
): Pick<ForkOptions, "execPath" | "execArgv"> {
  if (network === undefined) return { execArgv: [...nodeArgs] };
  // nsenter becomes Node.js: it is the same process, with the same channel.
  return { execPath: "nsenter", execArgv: [`--net=${network}`, process.execPath, ...nodeArgs] };
}
