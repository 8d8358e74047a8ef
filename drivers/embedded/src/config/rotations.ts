import type { RotationProgress } from "@microts/blocks/config";
import { type Log, MicroError } from "@microts/core";
import { LatestValue } from "./latest-value.ts";
import { type RotationParts, rotate } from "./rotation.ts";

/** Runs one rotation at a time, to its end, whoever listens. */
export class Rotations implements AsyncDisposable {
  readonly #parts: RotationParts;
  readonly #log: Log;
  readonly #closing = new AbortController();
  #running: Promise<void> | undefined;

  constructor(parts: RotationParts, log: Log) {
    this.#parts = parts;
    this.#log = log;
  }

  /** Throws 409 while another runs, 412 while secrets are sealed. */
  begin(signal: AbortSignal): AsyncIterable<RotationProgress> {
    if (this.#running !== undefined)
      throw MicroError.conflict("config.Config.Rotate", "the keys are being rotated already. Wait until that is done");
    this.#parts.keyring.rootKey();
    const progress = new LatestValue<RotationProgress>(signal, () => {});
    this.#run(false, progress);
    return progress;
  }

  /** Ends what an earlier process began. While secrets are sealed it only says so in the log. */
  resume(): void {
    if (this.#parts.roots.all.length === 0) this.#logSealed({});
    else this.#run(true, new LatestValue(this.#closing.signal, () => {}));
  }

  /** Stops between two namespaces; the next start goes on. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort();
    await this.#running;
  }

  #logSealed(whose: { readonly namespaces?: readonly string[] }): void {
    this.#log.error("secrets in config are sealed; all else works", { ...whose, reason: this.#parts.roots.advice });
  }

  #run(isResumed: boolean, progress: LatestValue<RotationProgress>): void {
    this.#running = this.#rotate(isResumed, progress).then(
      () => {
        // Before the end is told: who hears of it may begin another.
        this.#running = undefined;
        progress.finish();
      },
      (error: unknown) => {
        this.#running = undefined;
        this.#log.error("rotating the config keys failed; the next start goes on with it", { error });
        progress.fail(error);
      },
    );
  }

  async #rotate(isResumed: boolean, progress: LatestValue<RotationProgress>): Promise<void> {
    let last: RotationProgress | undefined;
    for await (const step of rotate(this.#parts, isResumed, this.#closing.signal)) {
      last = step;
      progress.put(step);
    }
    if (last === undefined) return;
    const { total, secrets, sealed } = last;
    if (secrets > 0 || !isResumed) this.#log.info("config keys were rotated", { namespaces: total, secrets });
    if (sealed.length > 0) this.#logSealed({ namespaces: sealed });
  }
}
