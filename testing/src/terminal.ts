import { spawnSync } from "node:child_process";
import { PassThrough } from "node:stream";
import { fileURLToPath } from "node:url";
import { Child } from "./child.ts";
import type { CoreServer } from "./core-server.ts";

const binary = fileURLToPath(new URL("../../cli/bin/micro.js", import.meta.url));

/** Whether this machine has a program that runs another in a terminal of its own. */
export const canOpenTerminals = /util-linux/.test(`${spawnSync("script", ["--version"]).stdout}`);

/** The command `micro` as its server's admin in a terminal: what it prints on either stream is in `stdout`, with `\r\n`. */
export class Terminal extends Child {
  readonly #keys: PassThrough;

  constructor({ home, address }: Pick<CoreServer, "home" | "address">, args: readonly string[]) {
    const env = { PATH: process.env["PATH"] ?? "", HOME: home, MICRO_HOME: home, MICRO_PROXY: address, TERM: "xterm" };
    const keys = new PassThrough();
    const command = [process.execPath, binary, ...args].map((word) => `'${word}'`).join(" ");
    super("script", ["-qefc", command, "/dev/null"], { cwd: home, env, input: keys, isProgram: true });
    this.#keys = keys;
  }

  type(text: string): void {
    this.#keys.write(text);
  }
}
