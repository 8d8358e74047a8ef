import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import type { Costs } from "./profile.ts";
import type { Contender, Sample, Skipped } from "./row.ts";

/** What is asked of a contender's process. */
export type Order = { readonly measureMs: number } | { readonly profileMs: number } | { readonly end: true };

/** What it answers, in order; the first is what became of its start. */
export type Report =
  | { readonly ready: true }
  | Skipped
  | { readonly sample: Sample }
  | { readonly costs: readonly (readonly [string, Costs])[] }
  | { readonly error: string };

const file = new URL("./contender.ts", import.meta.url);
const graceMs = 20_000;

/** One contender of a row with its servers and its load in processes of their own. */
export class RemoteContender implements Contender, AsyncDisposable {
  readonly #process: ChildProcess;
  readonly #ended: Promise<unknown>;
  readonly #words: string;

  constructor(row: string, name: string, signal: AbortSignal) {
    this.#words = `${name} of ${row}`;
    this.#process = fork(file, [row, name], { stdio: ["ignore", "inherit", "inherit", "ipc"] });
    this.#ended = once(this.#process, "close");
    this.#ended.catch(() => {});
    signal.addEventListener("abort", () => this.#process.kill("SIGTERM"), { once: true });
  }

  /** Undefined once it may be measured; otherwise why it may not. */
  async ready(): Promise<Skipped | undefined> {
    const report = await this.#report();
    return "skipped" in report ? report : undefined;
  }

  readonly measure = async (ms: number): Promise<Sample> => {
    const report = await this.#ask({ measureMs: ms });
    if (!("sample" in report)) throw new Error(`${this.#words} gave no sample`);
    return report.sample;
  };

  async profile(ms: number): Promise<ReadonlyMap<string, Costs>> {
    const report = await this.#ask({ profileMs: ms });
    return new Map("costs" in report ? report.costs : []);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#process.connected) this.#process.send({ end: true } satisfies Order);
    const late = setTimeout(() => this.#process.kill("SIGKILL"), graceMs);
    await this.#ended;
    clearTimeout(late);
  }

  #ask(order: Order): Promise<Report> {
    const report = this.#report();
    this.#process.send(order);
    return report;
  }

  async #report(): Promise<Report> {
    const ended = this.#ended.then(() => Promise.reject(new Error(`${this.#words} has ended`)));
    const [report] = (await Promise.race([once(this.#process, "message"), ended])) as [Report];
    if ("error" in report) throw new Error(`${this.#words}: ${report.error}`);
    return report;
  }
}
