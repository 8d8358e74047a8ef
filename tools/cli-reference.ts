// Writes docs/reference/cli.md from what the commands themselves say they take. `--check` changes nothing and fails when the page is not what
// would be written.
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import type { Command, Group } from "../cli/src/command.ts";
import { commands } from "../cli/src/commands.ts";
import { describeKind, type Flag, type Flags } from "../cli/src/flags.ts";
import { globalFlags } from "../cli/src/global-flags.ts";

const page = join(import.meta.dirname, "..", "docs", "reference", "cli.md");

const introduction = `# Commands

<!-- Written by tools/cli-reference.ts from the commands themselves: change those, then run "npm run generate". -->

Flags may stand anywhere after the command, with one dash or two, with \`-\` or \`_\` in their names, as \`--name value\` or \`--name=value\`. \`--\` ends
them. Durations are written like \`10s\` or \`1h30m\`. A \`list\` is split on commas and may be repeated; so may \`key=value\`. \`--help\` works on every
command, group and service.

Results go to standard output and everything else to standard error. \`--output json\` works everywhere, for errors too. Any other first word is
\`micro-<word>\` from the PATH if there is such a program, else a running service: see [Calling services](../guide/calling.md#the-command-line).

| exit code | when |
|---|---|
| 0 | it worked |
| 1 | wrong use, timed out, \`config get\` of a path that isn't set (127 in a namespace without any config), or any error of \`auth\`, \`store\`, \`user\` and \`login\` |
| 2 | not authorized |
| 3 | malformed endpoint, or a reply that isn't JSON |
| 4 | no such service, or no server |
| 5 | no such endpoint |
| 127 | any other error of the platform or a service |
| 128 | any other error, and an unknown endpoint of a service used as a command |
| 130 | stopped with Ctrl-C |
`;

/** The page as it should be. */
export async function cliReference(): Promise<string> {
  const parts = [introduction, `## Everywhere\n\n${flagTable(globalFlags)}`];
  for (const [name, { load }] of Object.entries(commands))
    parts.push(`## micro ${name}\n\n${section(name, await load())}`);
  return `${parts.map((part) => part.trimEnd()).join("\n\n")}\n`;
}

/** Writes the page, or with `check` only compares. Returns whether it was already right. */
export async function updateCliReference({ check }: { readonly check: boolean }): Promise<boolean> {
  const wanted = await cliReference();
  const isRight = (await readFile(page, "utf8").catch(() => "")) === wanted;
  if (!isRight && !check) await writeFile(page, wanted);
  return isRight;
}

function section(path: string, node: Command | Group): string {
  if (node.kind === "command") return commandText(path, node);
  const alone = node.alone === undefined ? "" : commandText(path, node.alone);
  return (
    alone +
    Object.entries(node.commands)
      .map(([name, each]) => section(`${path} ${name}`, each))
      .join("")
  );
}

/** How the command is written, its examples and its flags. */
function commandText(path: string, { summary, args, flags, examples }: Command): string {
  const usage = `**\`${`micro ${path} ${args}`.trimEnd()}\`** ${summary}.\n\n`;
  const shown =
    examples.length === 0 ? "" : `\`\`\`sh\n${examples.map((line) => `micro ${line}`).join("\n")}\n\`\`\`\n\n`;
  return usage + shown + (Object.keys(flags).length === 0 ? "" : `${flagTable(flags)}\n`);
}

function flagTable(flags: Flags): string {
  const rows = Object.entries(flags).map(
    ([name, flag]) => `| ${flagNames(name, flag)} | ${valueText(flag)} | ${flagText(flag)} |\n`,
  );
  return `| flag | value | |\n|---|---|---|\n${rows.join("")}`;
}

function flagNames(name: string, { short, alias }: Flag): string {
  const names = [`--${name}`, alias && `--${alias}`, short && `-${short}`].filter(Boolean);
  return names.map((each) => `\`${each}\``).join(", ");
}

function valueText({ kind, choices }: Flag): string {
  if (kind === "bool") return "";
  return choices === undefined ? describeKind(kind) : choices.map((choice) => `\`${choice}\``).join(", ");
}

function flagText({ help, fallback, env }: Flag): string {
  const extra = [fallback && `default: ${fallback}`, env && `$${env}`].filter(Boolean).join(", ");
  return (extra === "" ? help : `${help} (${extra})`).replaceAll("|", "\\|").replace(/\*(?=[ ,])/g, "\\*");
}

if (import.meta.main) {
  const { values } = parseArgs({ options: { check: { type: "boolean", default: false } } });
  const isRight = await updateCliReference(values);
  if (values.check && !isRight) {
    console.error("docs/reference/cli.md is not what the commands say. Run npm run generate and commit the result.");
    process.exitCode = 1;
  }
}
