import type { Command, Group } from "./command.ts";
import { commands } from "./commands.ts";
import { openContext, type Surroundings } from "./context.ts";
import { type CommandError, failureOf, usageError } from "./failure.ts";
import { type Flag, type Flags, isHelp, parseFlags, splitFlag, type Values } from "./flags.ts";
import { type CommandLine, divide, globalFlags } from "./global-flags.ts";
import { commandHelp, topHelp } from "./help.ts";
import { hint } from "./nearest.ts";
import { visible } from "./visible.ts";

/** Runs one command line and returns its exit code. Never throws: errors are printed. */
export async function main(args: readonly string[], around: Surroundings): Promise<number> {
  let isPlain = false;
  let isJson = asksForJson(args);
  try {
    const line = divide(args);
    const globals = parseFlags("micro", globalFlags, line.leading, around.env).values;
    isJson ||= globals.output === "json";
    const found = await find(line, isJson, around);
    if (typeof found === "number") return found;
    isPlain = found.command.plainErrors;
    await runCommand(found, line, around);
    return 0;
  } catch (error) {
    const { exitCode, error: failure, text } = failureOf(error, isPlain);
    // A mapped text says more than the error; one that stands for the error itself is the error's own.
    const detail = exitCode >= 127 ? failure.detail : text;
    const words = isJson ? JSON.stringify({ ...failure.toJSON(), detail }) : text;
    if (text !== "" && !(around.signal.aborted && exitCode === 130)) around.stderr.write(`${visible(words)}\n`);
    return exitCode;
  }
}

interface Found {
  readonly command: Command;
  /** What the user wrote to get there: `micro auth list rules`. */
  readonly path: string;
  readonly rest: readonly string[];
}

/** The command that the line names, or the exit code when all is said and done already. */
async function find(given: CommandLine, isJson: boolean, around: Surroundings): Promise<Found | number> {
  const print = (text: string): number => {
    around.stdout.write(text);
    return 0;
  };
  const line = helpAsFlag(given);
  if (line.version) return print(await versionText(isJson));
  if (line.name === undefined) {
    if (line.help) return print(topHelp(Object.entries(commands), globalFlags));
    throw usageError("No command provided to micro. Please refer to 'micro --help'");
  }
  const entry = Object.hasOwn(commands, line.name) ? commands[line.name] : undefined;
  if (entry === undefined) return runOther(line, around);
  return descend(
    await entry.load(),
    `micro ${line.name}`,
    line.help && !line.rest.includes("--help") ? [...line.rest, "--help"] : line.rest,
    print,
  );
}

/** `micro help run` is `micro run --help`. */
function helpAsFlag(line: CommandLine): CommandLine {
  if (!isHelp(line.name ?? "")) return line;
  const [name, ...rest] = line.rest.filter((word) => splitFlag(word) === undefined);
  return { ...line, name, rest: [...rest, "--help"], help: true };
}

/** Follows words through groups to a command; shows a group's help where the words end. */
function descend(
  node: Command | Group,
  path: string,
  rest: readonly string[],
  print: (text: string) => number,
): Found | number {
  if (node.kind === "command") {
    const before = rest.includes("--") ? rest.slice(0, rest.indexOf("--")) : rest;
    const wantsHelp =
      before.some((word) => isHelp(splitFlag(word)?.name ?? "")) || (before[0] === "help" && node.args === "");
    return wantsHelp ? print(commandHelp(path, node)) : { command: node, path, rest };
  }
  const [word, ...others] = rest;
  const next = word !== undefined && Object.hasOwn(node.commands, word) ? node.commands[word] : undefined;
  if (next !== undefined) return descend(next, `${path} ${word}`, others, print);
  const wantsHelp = word !== undefined && (word === "help" || isHelp(splitFlag(word)?.name ?? ""));
  if (wantsHelp) return print(commandHelp(path, node));
  const isFlag = word !== undefined && splitFlag(word) !== undefined;
  if (node.alone !== undefined && (word === undefined || isFlag)) return descend(node.alone, path, rest, print);
  if (word === undefined) return print(commandHelp(path, node));
  throw unknownSubcommand(path, word, Object.keys(node.commands));
}

function unknownSubcommand(path: string, word: string, names: readonly string[]): CommandError {
  return usageError(
    `Unrecognized subcommand for ${path}: ${word}. ${hint(word, names)}Please refer to '${path} --help'`,
  );
}

async function runCommand({ command, path, rest }: Found, line: CommandLine, around: Surroundings): Promise<void> {
  const flags = { ...globalsBeside(command), ...command.flags };
  const own = parseFlags(path, flags, [...line.leading, ...rest], around.env);
  checkWords(path, command, own.words);
  await using context = openContext(own.values as Values<typeof globalFlags>, around);
  await command.run(context, own.values, own.words);
}

/** The global flags, without those whose name or letter the command uses for something of its own. */
function globalsBeside(command: Command): Flags {
  const taken = new Set(Object.values(command.flags).map(({ short }) => short));
  const free = Object.entries<Flag>(globalFlags).map(([name, flag]) => {
    const { short, ...rest } = flag;
    const choices = name === "output" ? { choices: ["text", "json", ...command.formats] } : {};
    return [name, { ...rest, ...(short !== undefined && !taken.has(short) && { short }), ...choices }];
  });
  return Object.fromEntries(free) as Flags;
}

function checkWords(path: string, { args }: Command, words: readonly string[]): void {
  const names = args.match(/<[^>]*>…?|\[[^\]]*\]…?/g) ?? [];
  const needed = names.filter((name) => name.startsWith("<"));
  const usage = `Usage: ${path} ${args}`.trim();
  if (words.length < needed.length) throw usageError(`${path} needs ${needed[words.length]}. ${usage}`);
  const isOpen = names.some((name) => name.includes("…"));
  if (!isOpen && words.length > names.length)
    throw usageError(`${path} has no use for "${words[names.length]}". ${usage}`);
}

async function runOther(line: CommandLine, around: Surroundings): Promise<number> {
  const { runExecutable } = await import("./executable.ts");
  const name = line.name ?? "";
  const exitCode = await runExecutable(`micro-${name}`, line.rest, around);
  if (exitCode !== undefined) return exitCode;
  const { runDynamic } = await import("./dynamic/run.ts");
  await runDynamic(name, line, Object.keys(commands), around);
  return 0;
}

async function versionText(isJson: boolean): Promise<string> {
  const { versionText: text } = await import("./commands/version.ts");
  return text(isJson);
}

/** Looked for by eye, because errors in the flags themselves should be printed in the right form too. */
function asksForJson(args: readonly string[]): boolean {
  return args.some(
    (word, at) => /^--?output=json$/.test(word) || (/^--?output$/.test(word) && args[at + 1] === "json"),
  );
}
