import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import type { Costs } from "./profile.ts";

const graceMs = 10_000;
const profiler = new URL("./profiled.ts", import.meta.url).href;

/** A Node.js process that the bench started and ends, by its id. */
export class ServerProcess implements AsyncDisposable {
  readonly #process: ChildProcess;
  readonly #words: string;
  readonly #ended: Promise<unknown>;
  #output = "";
  #errors = "";

  constructor(file: string, args: readonly string[], env: NodeJS.ProcessEnv) {
    this.#words = [file, ...args].join(" ");
    this.#process = fork(file, args, {
      env,
      execArgv: ["--import", profiler],
      stdio: ["ignore", "pipe", "pipe", "ipc"],
    });
    const { stdout, stderr } = this.#process;
    stdout?.setEncoding("utf8").on("data", (text: string) => {
      this.#output = (this.#output + text).slice(-10_000);
    });
    // Read, so that a log costs the server what it costs, but only the end is kept.
    stderr?.on("data", (bytes: Buffer) => {
      this.#errors = bytes.toString("utf8", Math.max(0, bytes.length - 2_000));
    });
    this.#ended = once(this.#process, "close");
    this.#ended.catch(() => {});
  }

  /** Its resident memory in MiB, as Linux counts it. */
  async residentMiB(): Promise<number> {
    const text = await readFile(`/proc/${this.#process.pid}/status`, "utf8");
    return Number(/^VmRSS:\s+(\d+) kB$/m.exec(text)?.[1]) / 1024;
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

  startProfile(): void {
    this.#process.send("start profile");
  }

  async stopProfile(): Promise<Costs> {
    const answer = this.message();
    this.#process.send("stop profile");
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
    const ended = this.#ended.then(() => {
      throw new Error(`${this.#words} has ended: ${this.#errors}${this.#output}`);
    });
    return Promise.race([happening, ended]);
  }
}
