import { fileURLToPath } from "node:url";
import { Child, type Result } from "./child.ts";
import type { CoreServer } from "./core-server.ts";

const binary = fileURLToPath(new URL("../../cli/bin/micro.js", import.meta.url));

/** The command `micro` as its server's admin, each time in a process of its own. */
export interface CommandLine {
  /** Runs it to its end. */
  run(args: readonly string[], input?: string): Promise<Result>;
  /** Starts it and leaves it running. */
  start(args: readonly string[]): Child;
}

export function commandLine({ home, address }: Pick<CoreServer, "home" | "address">): CommandLine {
  const env = { PATH: process.env["PATH"] ?? "", HOME: home, MICRO_HOME: home, MICRO_PROXY: address };
  const start = (args: readonly string[], input = "") => new Child(binary, args, { cwd: home, env, input });
  return { start, run: (args, input) => start(args, input).within(60_000) };
}
