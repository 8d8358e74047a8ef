import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readdir, readFile } from "node:fs/promises";
import { Readable, type Writable } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";

export interface Result {
  /** -1 when a signal ended it. */
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface ChildOptions {
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  /** What it reads on standard input. Default: nothing. */
  readonly input?: string | Readable;
  /** The file is a program, and not one for the Node.js of the tests. */
  readonly isProgram?: boolean;
}

/** How long a process may take to end once asked to; a server has its services to stop. */
const graceMs = 60_000;

/** A program under test and what it has printed. */
export class Child implements AsyncDisposable {
  stdout = "";
  stderr = "";
  readonly ended: Promise<Result>;
  readonly #process: ChildProcess;
  readonly #words: string;
  #changed = Promise.withResolvers<void>();
  #over = false;

  /** Runs a file, under the Node.js of the tests unless told otherwise. */
  constructor(file: string, args: readonly string[], { env, cwd, input, isProgram = false }: ChildOptions) {
    this.#words = [file, ...args].join(" ");
    const [program = file, ...words] = isProgram ? [file, ...args] : [process.execPath, file, ...args];
    this.#process = spawn(program, words, { env, cwd, stdio: ["pipe", "pipe", "pipe"] });
    const { stdin, stdout, stderr } = this.#process;
    stdin?.on("error", () => {});
    if (input instanceof Readable) input.pipe(stdin as Writable);
    else stdin?.end(input);
    stdout?.setEncoding("utf8").on("data", (text: string) => this.#take({ stdout: this.stdout + text }));
    stderr?.setEncoding("utf8").on("data", (text: string) => this.#take({ stderr: this.stderr + text }));
    this.ended = once(this.#process, "close").then(([code]) => {
      this.#over = true;
      this.#take({});
      return { code: (code as number | null) ?? -1, stdout: this.stdout, stderr: this.stderr };
    });
  }

  get pid(): number {
    return this.#process.pid ?? -1;
  }

  /** Resolves with the first match in what it printed on either stream. Rejects, with all of it, when it ends without. */
  async saying(pattern: RegExp, timeoutMs = 60_000): Promise<RegExpExecArray> {
    const late = Date.now() + timeoutMs;
    for (;;) {
      const found = pattern.exec(this.stdout) ?? pattern.exec(this.stderr);
      if (found !== null) return found;
      const printed = `\n--- stdout\n${this.stdout}\n--- stderr\n${this.stderr}`;
      if (this.#over) throw new Error(`${this.#words} ended without saying ${pattern}${printed}`);
      if (Date.now() > late) throw new Error(`${this.#words} did not say ${pattern} in ${timeoutMs} ms${printed}`);
      await Promise.race([this.#changed.promise, delay(500, undefined, { ref: false })]);
    }
  }

  /** Sends the signal and resolves when the process has ended; one that doesn't is killed and is an error. */
  async end(signal: NodeJS.Signals = "SIGTERM"): Promise<Result> {
    if (!this.#over) this.#process.kill(signal);
    return this.within(graceMs);
  }

  /** Its result, if it ends in time; else it is killed and that is an error. */
  async within(ms: number): Promise<Result> {
    const timer = new AbortController();
    const late = delay(ms, undefined, { signal: timer.signal }).then(
      () => "late" as const,
      () => "over" as const,
    );
    const first = await Promise.race([this.ended, late]);
    timer.abort();
    if (typeof first !== "string") return first;
    this.#process.kill("SIGKILL");
    const { stdout, stderr } = await this.ended;
    throw new Error(`${this.#words} did not end in ${ms} ms\n--- stdout\n${stdout}\n--- stderr\n${stderr}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end();
  }

  #take(printed: { stdout?: string; stderr?: string }): void {
    Object.assign(this, printed);
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }
}

/** A process of this computer. */
export interface Running {
  readonly pid: number;
  readonly command: string;
}

/** Processes whose environment has the text in it, such as the path of a temporary home. Linux only; elsewhere there are none. */
export async function processesOf(text: string): Promise<Running[]> {
  const found: Running[] = [];
  for (const pid of await readdir("/proc").catch(() => [])) {
    if (!/^\d+$/.test(pid) || Number(pid) === process.pid) continue;
    const environment = await readFile(`/proc/${pid}/environ`, "latin1").catch(() => "");
    if (!environment.includes(text)) continue;
    const command = await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "");
    if (command !== "") found.push({ pid: Number(pid), command: command.replaceAll("\0", " ").trim() });
  }
  return found;
}
