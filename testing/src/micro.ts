import assert from "node:assert/strict";
import { mkdir, mkdtemp, readFile, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { Child, type ChildOptions, processesOf, type Result, type Running } from "./child.ts";

/** The root of the repository. */
export const repository = fileURLToPath(new URL("../../", import.meta.url));

const launcher = join(repository, "cli", "bin", "micro.js");
const commandTimeoutMs = 120_000;
/** A server that was killed takes its services along within this, also on a busy machine. */
const lastBreathMs = 30_000;

/** `host:port` of each entry. */
export interface Addresses {
  readonly api: string;
  readonly proxy: string;
  readonly web: string;
  readonly network: string;
}

export interface CommandOptions extends Partial<Omit<ChildOptions, "env">> {
  readonly env?: Readonly<Record<string, string>>;
}

/** A machine of its own for the `micro` command: an empty home and nothing of the tests' environment but PATH. */
export class Machine implements AsyncDisposable {
  /** Everything is below it: `home`, and the folder `work` in which commands run. */
  readonly folder: string;
  readonly home: string;
  readonly work: string;

  private constructor(folder: string) {
    this.folder = folder;
    this.home = join(folder, "home");
    this.work = join(folder, "work");
  }

  static async create(): Promise<Machine> {
    const machine = new Machine(await realpath(await mkdtemp(join(tmpdir(), "micro-machine-"))));
    await mkdir(machine.home);
    await mkdir(machine.work);
    return machine;
  }

  /** Starts a command and leaves it running. */
  start(args: readonly string[], options: CommandOptions = {}): Child {
    return this.startFile(launcher, args, options);
  }

  /** The same for another program than `micro`. */
  startFile(file: string, args: readonly string[], { env, cwd = this.work, ...rest }: CommandOptions = {}): Child {
    const { PATH = "" } = process.env;
    return new Child(file, args, { ...rest, cwd, env: { PATH, HOME: this.home, ...env } });
  }

  /** Runs a command to its end. */
  async run(args: readonly string[], options: CommandOptions = {}): Promise<Result> {
    return this.start(args, options).within(commandTimeoutMs);
  }

  /** Writes files below the work folder: path → text. */
  async write(files: Readonly<Record<string, string>>): Promise<void> {
    for (const [path, text] of Object.entries(files)) {
      await mkdir(dirname(join(this.work, path)), { recursive: true });
      await writeFile(join(this.work, path), text);
    }
  }

  /** What runs on this machine. */
  processes(): Promise<Running[]> {
    return processesOf(this.folder);
  }

  /** Fails when a process that was started on this machine still runs, which is ended then. */
  async [Symbol.asyncDispose](): Promise<void> {
    const late = Date.now() + lastBreathMs;
    let left = await this.processes();
    while (left.length > 0 && Date.now() < late) {
      await delay(50);
      left = await this.processes();
    }
    for (const { pid } of left) process.kill(pid, "SIGKILL");
    await rm(this.folder, { recursive: true, force: true, maxRetries: 3 });
    assert.deepEqual(left, [], "processes were left running");
  }
}

export interface ServerOptions extends CommandOptions {
  /** Where it runs. Default: a machine of its own, which goes with it. */
  readonly machine?: Machine;
  /** Default: free ports of the loopback interface. */
  readonly addresses?: Addresses;
}

/** `micro server` in a process of its own. */
export class MicroServer implements AsyncDisposable {
  readonly machine: Machine;
  readonly addresses: Addresses;
  readonly process: Child;
  readonly #ownsMachine: boolean;

  constructor(machine: Machine, ownsMachine: boolean, process: Child, addresses: Addresses) {
    this.machine = machine;
    this.#ownsMachine = ownsMachine;
    this.process = process;
    this.addresses = addresses;
  }

  /** `HOME` of the server and of the commands. */
  get home(): string {
    return this.machine.home;
  }

  /** The variable with which commands and services find this server. */
  get env(): { readonly MICRO_PROXY: string } {
    return { MICRO_PROXY: this.addresses.proxy };
  }

  /** Runs `micro …` on the server's machine, to its end. */
  micro(...args: string[]): Promise<Result> {
    return this.machine.run(args, { env: this.env });
  }

  /** The output of `micro …`, which has to succeed. */
  async output(...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await this.micro(...args);
    assert.equal(code, 0, `micro ${args.join(" ")} ended with ${code}: ${stderr}${stdout}`);
    return stdout;
  }

  /** The same, parsed. */
  async json(...args: string[]): Promise<unknown> {
    return JSON.parse(await this.output(...args, "--output=json"));
  }

  /** An HTTP request to the gateway; a body is sent as JSON. */
  fetch(path: string, body?: unknown, init: RequestInit = {}): Promise<Response> {
    const post = { method: "POST", body: JSON.stringify(body), headers: { "content-type": "application/json" } };
    const signal = AbortSignal.timeout(60_000);
    return fetch(`http://${this.addresses.api}${path}`, { signal, ...(body !== undefined && post), ...init });
  }

  /** The admin's password that the first start made. */
  async adminPassword(): Promise<string> {
    const text = await readFile(join(this.home, ".micro", "server", "admin-password"), "utf8");
    return text.trim();
  }

  /** Ends it and its services, as Ctrl-C or a process manager does. Fails when it doesn't end with 0. */
  async stop(signal: NodeJS.Signals = "SIGTERM"): Promise<void> {
    const { code, stderr } = await this.process.end(signal);
    assert.equal(code, 0, `micro server ended with ${code}: ${stderr}`);
  }

  /** Ends it at once. */
  async kill(signal: NodeJS.Signals = "SIGKILL"): Promise<void> {
    await this.process.end(signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.process.end();
    if (this.#ownsMachine) await this.machine[Symbol.asyncDispose]();
  }
}

/** Starts `micro server` and resolves when it is ready. Rejects, with what it printed, when it ends before. */
export async function startServer(options: ServerOptions = {}): Promise<MicroServer> {
  const { machine: given, addresses, env, ...rest } = options;
  const machine = given ?? (await Machine.create());
  const child = machine.start(["server", "--output=json"], {
    ...rest,
    env: { ...addressVariables(addresses), ...env },
  });
  try {
    const [text] = await child.saying(/^\{.*?^\}/ms, 120_000);
    const urls = JSON.parse(text) as Record<"api" | "dashboard" | "proxy" | "network", string>;
    const bare = (url: string) => url.replace("http://", "");
    const { proxy, network } = urls;
    const bound = { api: bare(urls.api), proxy, web: bare(urls.dashboard), network };
    return new MicroServer(machine, given === undefined, child, bound);
  } catch (error) {
    await child.end("SIGKILL");
    if (given === undefined) await machine[Symbol.asyncDispose]();
    throw error;
  }
}

const free = "127.0.0.1:0";

/** The settings of a server that listens there; free ports by default. */
export function addressVariables(addresses: Partial<Addresses> = {}): Record<string, string> {
  const { api = free, proxy = free, web = free, network = free } = addresses;
  return {
    MICRO_API_ADDRESS: api,
    MICRO_PROXY_ADDRESS: proxy,
    MICRO_WEB_ADDRESS: web,
    MICRO_NETWORK_ADDRESS: network,
  };
}
