import { createInterface } from "node:readline";
import { Writable } from "node:stream";
import { MicroError } from "@microts/core";
import type { Context } from "./context.ts";
import { usageError } from "./failure.ts";

/**
 * Asks for values on a terminal, or takes lines from standard input when that is none, so that `printf 'admin\nsecret\n' | micro login` works.
 * Questions go to standard error.
 */
export class Prompt implements Disposable {
  readonly #context: Context;
  readonly #lines: AsyncIterator<string>;
  readonly #close: () => void;
  #isHidden = false;

  constructor(context: Context) {
    this.#context = context;
    const { stdin, stderr } = context;
    const isTerminal = stdin.isTTY === true;
    // readline echoes through this stream, which says nothing while a password is typed.
    const echo = new Writable({
      write: (chunk, _encoding, done) => {
        if (!this.#isHidden) stderr.write(chunk);
        done();
      },
    });
    const reader = createInterface({ input: stdin, output: isTerminal ? echo : undefined, terminal: isTerminal });
    // In raw mode Ctrl-C is a key and raises no signal.
    const abort = () => reader.close();
    reader.on("SIGINT", () => process.kill(process.pid, "SIGINT"));
    context.signal.addEventListener("abort", abort, { once: true });
    this.#lines = reader[Symbol.asyncIterator]();
    this.#close = () => {
      context.signal.removeEventListener("abort", abort);
      reader.close();
    };
  }

  /** One line. Throws when the input has ended. */
  async text(question: string): Promise<string> {
    return this.#ask(question, false);
  }

  /** One line that is not shown while it is typed. */
  async secret(question: string): Promise<string> {
    return this.#ask(question, true);
  }

  async #ask(question: string, isHidden: boolean): Promise<string> {
    const { stdin, stderr, signal } = this.#context;
    if (stdin.isTTY) stderr.write(question);
    this.#isHidden = isHidden;
    const { value, done } = await this.#lines.next();
    this.#isHidden = false;
    if (isHidden && stdin.isTTY) stderr.write("\n");
    if (signal.aborted) throw new MicroError(499, "micro", "stopped");
    if (done) throw usageError(`nothing was given for: ${question.replace(/:\s*$/, "")}`);
    return value;
  }

  [Symbol.dispose](): void {
    this.#close();
  }
}
