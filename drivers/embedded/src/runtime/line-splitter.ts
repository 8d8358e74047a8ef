import { StringDecoder } from "node:string_decoder";

/** A line is cut after so many characters; the rest of it is dropped. */
export const longestLine = 64 * 1024;
const cutMark = "… (cut)";

/** Makes lines of a byte stream, UTF-8 with replacement characters for what is not. Holds at most one line. */
export class LineSplitter {
  readonly #decoder = new StringDecoder("utf8");
  #rest = "";
  #dropping = false;

  /** The lines that this chunk completes. */
  push(chunk: Uint8Array): string[] {
    return this.#split(this.#decoder.write(chunk));
  }

  /** The last line, when it had no newline. */
  end(): string[] {
    const lines = this.#split(this.#decoder.end());
    const last = this.#take("");
    return last === undefined ? lines : [...lines, last];
  }

  #split(text: string): string[] {
    const lines: string[] = [];
    let from = 0;
    for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", from)) {
      lines.push(this.#take(text.slice(from, at)) ?? "");
      this.#dropping = false;
      from = at + 1;
    }
    if (!this.#dropping) this.#keep(text.slice(from));
    return lines;
  }

  #keep(text: string): void {
    this.#rest += text;
    if (this.#rest.length <= longestLine) return;
    this.#rest = this.#rest.slice(0, longestLine) + cutMark;
    this.#dropping = true;
  }

  #take(tail: string): string | undefined {
    if (!this.#dropping) this.#keep(tail);
    const line = this.#rest;
    this.#rest = "";
    if (line === "") return undefined;
    return line.endsWith("\r") ? line.slice(0, -1) : line;
  }
}
