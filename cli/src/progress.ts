import type { Writable } from "node:stream";

const everyMs = 100;
const width = 24;

/** How far long work is, on one line of the terminal that is written over. Shows nothing when standard error is none, and nothing in JSON. */
export class Progress {
  readonly #stream: Writable & { readonly isTTY?: boolean };
  readonly #isShown: boolean;
  readonly #what: string;
  readonly #total: number | undefined;
  #done = 0;
  #shownAt = 0;
  #length = 0;

  /** `what` is counted, such as "events". Without a total there is no bar. */
  constructor(stream: Writable & { readonly isTTY?: boolean }, isShown: boolean, what: string, total?: number) {
    this.#stream = stream;
    this.#isShown = isShown && stream.isTTY === true;
    this.#what = what;
    this.#total = total;
  }

  get done(): number {
    return this.#done;
  }

  add(count: number): void {
    this.#done += count;
    const now = performance.now();
    if (!this.#isShown || now - this.#shownAt < everyMs) return;
    this.#shownAt = now;
    this.#write(progressLine(this.#done, this.#total, this.#what));
  }

  /** Takes the line away. */
  end(): void {
    if (this.#length > 0) this.#write("");
  }

  #write(line: string): void {
    this.#stream.write(`\r${line.padEnd(this.#length)}${line === "" ? "\r" : ""}`);
    this.#length = line.length;
  }
}

/** `[#####-----] 1,200 of 5,000 events`; without a total `1,200 events`. */
export function progressLine(done: number, total: number | undefined, what: string): string {
  const count = done.toLocaleString("en-US");
  if (total === undefined) return `${count} ${what}`;
  const share = total === 0 ? 1 : Math.min(1, done / total);
  const filled = Math.round(share * width);
  const bar = "#".repeat(filled) + "-".repeat(width - filled);
  return `[${bar}] ${count} of ${total.toLocaleString("en-US")} ${what}`;
}
