import type { Context } from "./context.ts";
import type { Flag, Flags, Values } from "./flags.ts";

/** A command: what it takes and what it does. `run` is given checked arguments. */
export interface Command {
  readonly kind: "command";
  readonly summary: string;
  /** `<name>` is needed, `[name]` may be left out, a name that ends in `…` stands for one or more words. */
  readonly args: string;
  readonly flags: Flags;
  /** Shown in help, without the leading `micro`. */
  readonly examples: readonly string[];
  /** Ends with exit code 1 whatever the error (behaviour §1.1). */
  readonly plainErrors: boolean;
  /** What `--output` may be besides text and json; the command prints it itself. */
  readonly formats: readonly string[];
  run(context: Context, values: Values<Flags>, words: readonly string[]): Promise<void>;
}

/** Commands under one word. */
export interface Group {
  readonly kind: "group";
  readonly summary: string;
  readonly commands: Readonly<Record<string, Command | Group>>;
  /** What the word does alone; by default it shows help. */
  readonly alone?: Command;
}

interface Definition<F extends Flags> {
  readonly summary: string;
  readonly args?: string;
  readonly flags?: F;
  readonly examples?: readonly string[];
  readonly plainErrors?: boolean;
  readonly formats?: readonly string[];
  run(context: Context, values: Values<F>, words: readonly string[]): Promise<void>;
}

/** Declares a command; its flags decide what `values` holds. */
export function command<const F extends Readonly<Record<string, Flag>> = Record<never, never>>(
  definition: Definition<F>,
): Command {
  const { summary, args = "", flags, examples = [], plainErrors = false, formats = [], run } = definition;
  return {
    kind: "command",
    summary,
    args,
    flags: flags ?? {},
    examples,
    plainErrors,
    formats,
    // The parser has made `values` from the same flags.
    run: (context, values, words) => run(context, values as Values<F>, words),
  };
}

export function group(summary: string, commands: Group["commands"], alone?: Command): Group {
  return { kind: "group", summary, commands, ...(alone !== undefined && { alone }) };
}
