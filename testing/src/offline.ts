import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { Child } from "./child.ts";
import type { CommandOptions, Machine } from "./micro.ts";

const enter = fileURLToPath(new URL("in-namespace.ts", import.meta.url));

/** Why programs can't be run without a network here; undefined when they can. */
export function whyNotOffline(): string | undefined {
  const probe = (program: string, ...args: string[]) => spawnSync(program, args, { stdio: "ignore" }).status === 0;
  const missing = (["unshare", "nsenter", "ip"] as const).filter((program) => !probe(program, "-V"));
  if (missing.length > 0) return `turning the network off needs ${missing.join(", ")}`;
  if (!probe("unshare", "-n", "true")) return "turning the network off needs to be root, in a container that allows it";
  return undefined;
}

/** A network of its own with nothing but the loopback interface: every port is free, and nothing outside can be reached. */
export class OfflineNetwork implements AsyncDisposable {
  readonly #holder: ReturnType<typeof spawn>;

  private constructor(holder: ReturnType<typeof spawn>) {
    this.#holder = holder;
  }

  static async create(): Promise<OfflineNetwork> {
    // The namespace lives as long as a process is in it: `cat` is, until its input ends.
    const script = "ip link set lo up && echo ready && exec cat";
    const holder = spawn("unshare", ["-n", "sh", "-c", script], { stdio: ["pipe", "pipe", "inherit"] });
    const ended = once(holder, "exit").then(() => Promise.reject(new Error("cannot make a network namespace")));
    ended.catch(() => {});
    await Promise.race([once(holder.stdout, "data"), ended]);
    return new OfflineNetwork(holder);
  }

  /** Starts a program from the PATH on the machine, in this network. */
  start(machine: Machine, program: string, args: readonly string[], options: CommandOptions = {}): Child {
    return machine.startFile(enter, [String(this.#holder.pid), program, ...args], options);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = once(this.#holder, "exit");
    this.#holder.stdin?.end();
    await ended;
  }
}
