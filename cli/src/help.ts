import type { Command, Group } from "./command.ts";
import { describeKind, type Flag, type Flags } from "./flags.ts";
import { spaceTable } from "./table.ts";

/** Help for a command or group, `path` being what the user wrote to get there, such as `micro auth list`. */
export function commandHelp(path: string, node: Command | Group): string {
  return node.kind === "group" ? groupHelp(path, node) : leafHelp(path, node);
}

function groupHelp(path: string, { summary, commands, alone }: Group): string {
  const rows = Object.entries(commands).map(([name, { summary: text }]) => [name, text]);
  return joinSections([
    ["NAME:", `   ${path} - ${summary}\n`],
    ["USAGE:", `   ${path} ${alone === undefined ? "command" : "[command]"} [options] [arguments...]\n`],
    ["COMMANDS:", spaceTable(rows, "   ")],
    ["OPTIONS:", optionTable(alone?.flags ?? {})],
  ]);
}

function leafHelp(path: string, { summary, args, flags, examples }: Command): string {
  const usage = [path, Object.keys(flags).length > 0 ? "[options]" : "", args].filter(Boolean).join(" ");
  return joinSections([
    ["NAME:", `   ${path} - ${summary}\n`],
    ["USAGE:", `   ${usage}\n`],
    ["EXAMPLES:", examples.map((example) => `   micro ${example}\n`).join("")],
    ["OPTIONS:", optionTable(flags)],
  ]);
}

/** The lines of `OPTIONS:`, `--help` after those of the flags. */
function optionTable(flags: Flags, more: readonly (readonly string[])[] = []): string {
  const rows = Object.entries(flags).map(([name, flag]) => [flagNames(name, flag), flagText(flag)]);
  return spaceTable([...rows, ["--help, -h", "show help"], ...more], "   ");
}

function flagNames(name: string, { kind, short, alias, choices }: Flag): string {
  const names = [`--${name}`, alias && `--${alias}`, short && `-${short}`].filter(Boolean).join(", ");
  return kind === "bool" ? names : `${names} ${choices?.join("|") ?? describeKind(kind)}`;
}

function flagText({ help, fallback, env }: Flag): string {
  const extra = [fallback && `default: ${fallback}`, env && `$${env}`].filter(Boolean).join(", ");
  return extra === "" ? help : `${help} (${extra})`;
}

/** Help for the whole command line. */
export function topHelp(commands: readonly (readonly [string, { readonly summary: string }])[], flags: Flags): string {
  const rows = commands.map(([name, { summary }]) => [name, summary]);
  return joinSections([
    ["NAME:", "   micro - run services and call them\n"],
    [
      "USAGE:",
      "   micro [global options] command [options] [arguments...]\n   micro [global options] <service> [endpoint] [--field=value...]\n",
    ],
    ["COMMANDS:", spaceTable(rows, "   ")],
    ["GLOBAL OPTIONS:", optionTable(flags, [["--version, -v", "show the version"]])],
  ]);
}

/** Headings with their text; those without text are left out. */
export function joinSections(sections: readonly (readonly [string, string])[]): string {
  return sections
    .filter(([, text]) => text !== "")
    .map(([heading, text]) => `${heading}\n${text}`)
    .join("\n");
}
