import type { Writable } from "node:stream";
import { visible } from "./visible.ts";

export type OutputFormat = "text" | "json";

/** Where a command prints: results to standard output, everything else to standard error. */
export class Output {
  readonly format: OutputFormat;
  readonly #stdout: Writable & { readonly isTTY?: boolean };
  readonly #stderr: Writable & { readonly isTTY?: boolean };

  constructor(format: OutputFormat, stdout: Writable, stderr: Writable) {
    this.format = format;
    this.#stdout = stdout;
    this.#stderr = stderr;
  }

  get isJson(): boolean {
    return this.format === "json";
  }

  /** Resolves when the stream can take more. Text on a terminal is made harmless to it; bytes, and what goes elsewhere, are written as they are. */
  async write(data: string | Uint8Array): Promise<void> {
    const safe = typeof data === "string" && this.#stdout.isTTY ? visible(data) : data;
    if (data.length === 0 || this.#stdout.write(safe)) return;
    await new Promise((resolve) => this.#stdout.once("drain", resolve));
  }

  /** Writes the value as one JSON text with tabs and a newline, or `text` as it stands, whichever the user asked for. */
  async result(value: unknown, text: string): Promise<void> {
    await this.write(this.isJson ? `${JSON.stringify(value, undefined, "\t")}\n` : text);
  }

  /** For what succeeds without words: nothing in text, the value in JSON. */
  async done(value: unknown): Promise<void> {
    await this.result(value, "");
  }

  /** One line for people: only on a terminal, and never among results. */
  note(line: string): void {
    if (!this.isJson && this.#stderr.isTTY) this.#stderr.write(`${line}\n`);
  }

  /** One line that people should see even when results are piped on. */
  warn(line: string): void {
    this.#stderr.write(`${line}\n`);
  }
}
