import { type Flags, findFlag, isHelp, splitFlag, takesNext } from "./flags.ts";

/** Flags that every command takes, before or after its name. */
export const globalFlags = {
  env: { kind: "text", short: "e", env: "MICRO_ENV", help: "environment to act in" },
  namespace: { kind: "text", env: "MICRO_NAMESPACE", help: "namespace to act in" },
  proxy_address: { kind: "text", env: "MICRO_PROXY", help: "host:port of the proxy, instead of the environment's" },
  config: { kind: "text", short: "c", env: "MICRO_CONFIG_FILE", help: "config file" },
  output: { kind: "text", choices: ["text", "json"], help: "how results are printed" },
} as const satisfies Flags;

export interface CommandLine {
  /** Global flags found before the command, spelled `--name=value`; what is no global flag stands as it was written. */
  readonly leading: readonly string[];
  /** The command's name; undefined when there is none. */
  readonly name: string | undefined;
  /** What follows the name. */
  readonly rest: readonly string[];
  readonly help: boolean;
  readonly version: boolean;
}

/** Divides the command line at the command's name: the first word that is neither a global flag nor the value of one. */
export function divide(args: readonly string[]): CommandLine {
  const leading: string[] = [];
  let help = false;
  let version = false;
  for (let at = 0; at < args.length; at++) {
    const word = args[at] ?? "";
    const split = splitFlag(word);
    if (split === undefined) return { leading, name: word, rest: args.slice(at + 1), help, version };
    help ||= isHelp(split.name);
    version ||= split.name === "version" || split.name === "v";
    if (isHelp(split.name) || split.name === "version" || split.name === "v") continue;
    const key = findFlag(globalFlags, split.name);
    const next = args[at + 1];
    const takes =
      key !== undefined && split.value === undefined && takesNext(globalFlags[key as keyof typeof globalFlags], next);
    if (takes) at++;
    const value = takes ? next : split.value;
    leading.push(key === undefined || value === undefined ? word : `--${key}=${value}`);
  }
  return { leading, name: undefined, rest: [], help, version };
}
