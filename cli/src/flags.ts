import { parseDuration } from "./duration.ts";
import { usageError } from "./failure.ts";
import { hint } from "./nearest.ts";

type FlagKind = "text" | "bool" | "int" | "duration" | "list" | "pairs";

/** A flag of a command. Names are written with `_` or `-`, with one dash or two, as `--name value` or `--name=value`. */
export interface Flag {
  /** `list` and `pairs` (`k=v`) may be repeated; a list is also split on commas. Durations are Go's, such as `1h30m`, and become milliseconds. */
  readonly kind: FlagKind;
  readonly help: string;
  /** One letter. */
  readonly short?: string;
  /** Another name for the same flag. */
  readonly alias?: string;
  /** Environment variable that stands in for the flag. */
  readonly env?: string;
  /** Texts that are allowed. */
  readonly choices?: readonly string[];
  /** Stands in when the flag isn't given; only for text. */
  readonly fallback?: string;
}

export type Flags = Readonly<Record<string, Flag>>;

type ValueOf<F extends Flag> = F["kind"] extends "bool"
  ? boolean
  : F["kind"] extends "list"
    ? readonly string[]
    : F["kind"] extends "pairs"
      ? Readonly<Record<string, string>>
      : F["kind"] extends "int" | "duration"
        ? number | undefined
        : F extends { fallback: string }
          ? string
          : string | undefined;

/** What a command's flags hold once read. */
export type Values<F extends Flags> = { readonly [K in keyof F]: ValueOf<F[K]> };

export type Env = Readonly<Record<string, string | undefined>>;

export interface Parsed<F extends Flags> {
  readonly values: Values<F>;
  /** The words that are no flags. */
  readonly words: readonly string[];
  readonly help: boolean;
}

/** Reads a command's arguments. Words and flags may be mixed; `--` ends the flags. Throws a usage error that names the flag and what it wants. */
export function parseFlags<F extends Flags>(command: string, flags: F, args: readonly string[], env: Env): Parsed<F> {
  const given = new Map<string, string[]>();
  const words: string[] = [];
  let help = false;
  for (let at = 0; at < args.length; at++) {
    const word = args[at] ?? "";
    if (word === "--") {
      words.push(...args.slice(at + 1));
      break;
    }
    const split = splitFlag(word);
    if (split === undefined) {
      words.push(word);
    } else if (isHelp(split.name)) {
      help = true;
    } else {
      const key = findFlag(flags, split.name) ?? unknownFlag(command, flags, word);
      const flag = flags[key] as Flag;
      const next = args[at + 1];
      if (split.value === undefined && takesNext(flag, next)) at++;
      const value = split.value ?? (takesNext(flag, next) ? next : undefined) ?? missing(key, flag);
      given.set(key, [...(given.get(key) ?? []), value]);
    }
  }
  return { values: valuesOf(flags, given, env), words, help };
}

/** `--name`, `-name=value`: the name and the value after `=`. Undefined for words; negative numbers and a lone dash are words. */
export function splitFlag(word: string): { readonly name: string; readonly value: string | undefined } | undefined {
  const match = /^--?([A-Za-z][\w.-]*)(?:=([\s\S]*))?$/.exec(word);
  if (match !== null) return { name: match[1] ?? "", value: match[2] };
  if (/^--?[^\d\s.-]/.test(word)) throw usageError(`"${word}" is not a flag: write --name=value`);
  return undefined;
}

export function isHelp(name: string): boolean {
  return name === "help" || name === "h";
}

/** The key of the flag with this name, `-` and `_` being alike. */
export function findFlag(flags: Flags, name: string): string | undefined {
  const wanted = fold(name);
  return Object.entries(flags).find(
    ([key, { short, alias }]) => fold(key) === wanted || short === name || (alias && fold(alias) === wanted),
  )?.[0];
}

/** Whether the flag's value is the next word. */
export function takesNext({ kind }: Flag, next: string | undefined): boolean {
  if (next === undefined) return false;
  return kind === "bool" ? next === "true" || next === "false" : !/^--[A-Za-z]/.test(next);
}

function fold(name: string): string {
  return name.replaceAll("-", "_");
}

function missing(key: string, { kind }: Flag): string {
  if (kind === "bool") return "true";
  throw usageError(`--${key} needs a value (${describeKind(kind)})`);
}

function unknownFlag(command: string, flags: Flags, word: string): never {
  const name = word.replace(/^-+/, "").replace(/=[\s\S]*$/, "");
  const names = Object.keys(flags).map((key) => `--${key}`);
  throw usageError(`Unknown flag: ${word.replace(/=[\s\S]*$/, "")}. ${hint(`--${name}`, names)}See: ${command} --help`);
}

function valuesOf<F extends Flags>(flags: F, given: ReadonlyMap<string, readonly string[]>, env: Env): Values<F> {
  const values: Record<string, unknown> = {};
  for (const [key, flag] of Object.entries(flags)) {
    const fromEnv = flag.env === undefined ? undefined : env[flag.env] || undefined;
    const texts = given.get(key) ?? (fromEnv === undefined ? undefined : [fromEnv]);
    values[key] = readValue(key, flag, texts ?? (flag.fallback === undefined ? [] : [flag.fallback]));
  }
  return values as Values<F>;
}

function readValue(key: string, flag: Flag, texts: readonly string[]): unknown {
  const last = texts.at(-1);
  for (const text of texts) {
    if (flag.choices !== undefined && !flag.choices.includes(text)) {
      throw usageError(`--${key} must be one of ${flag.choices.join(", ")}, not "${text}"`);
    }
  }
  switch (flag.kind) {
    case "text":
      return last;
    case "bool":
      return last === undefined ? false : readBool(key, last);
    case "int":
      return last === undefined ? undefined : readInt(key, last);
    case "duration":
      return last === undefined ? undefined : readDuration(key, last);
    case "list":
      return texts.flatMap((text) => text.split(",")).filter((text) => text !== "");
    case "pairs":
      return Object.fromEntries(texts.flatMap((text) => readPairs(key, text)));
  }
}

function readBool(key: string, text: string): boolean {
  if (/^(1|t|true|yes|on)$/i.test(text)) return true;
  if (/^(0|f|false|no|off)$/i.test(text)) return false;
  throw usageError(`--${key} must be true or false, not "${text}"`);
}

function readInt(key: string, text: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(value)) {
    throw usageError(`--${key} must be a whole number, 0 or more, not "${text}"`);
  }
  return value;
}

function readDuration(key: string, text: string): number {
  return parseDuration(text) ?? raise(`--${key} must be a duration such as 10s, 500ms or 1h30m, not "${text}"`);
}

/** `k=v`, or several with commas between them; a comma inside a value stays when no `k=` follows it. */
function readPairs(key: string, text: string): [string, string][] {
  return text.split(/,(?=[A-Za-z_][\w.-]*=)/).map((pair) => {
    const at = pair.indexOf("=");
    return at > 0 ? [pair.slice(0, at), pair.slice(at + 1)] : raise(`--${key} must be key=value, not "${pair}"`);
  });
}

function raise(detail: string): never {
  throw usageError(detail);
}

/** How a flag's type is named in help and errors. */
export function describeKind(kind: FlagKind): string {
  return { text: "text", bool: "true or false", int: "number", duration: "duration", list: "list", pairs: "key=value" }[
    kind
  ];
}
