import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { credentialsPath } from "@microts/core";
import type { Bench } from "./bench.ts";
import { helloworldFolder } from "./peers/hello.ts";
import type { ServerProcess } from "./server-process.ts";

const run = promisify(execFile);
/** The micro command from the sources of this repository. */
export const sourceLauncher = fileURLToPath(new URL("../../cli/bin/micro.js", import.meta.url));

interface StartOptions {
  readonly isProfiled?: boolean;
  /** More of its environment. */
  readonly env?: NodeJS.ProcessEnv;
  /** Default: the one of the sources. */
  readonly launcher?: string;
}

/** The real `micro server` in a process of its own, with a home of its own and its log at the level that has the access log. */
export class MicroServer implements AsyncDisposable {
  readonly process: ServerProcess;
  readonly #env: NodeJS.ProcessEnv;
  readonly #home: string;
  readonly #launcher: string;
  #addresses: { readonly api: string; readonly proxy: string } | undefined;

  /** Starts it. The home keeps its data for the next start. */
  constructor(bench: Bench, name: string, home: string, options: StartOptions = {}) {
    const { isProfiled = false, env: more = {}, launcher = sourceLauncher } = options;
    this.#home = home;
    this.#launcher = launcher;
    const free = "127.0.0.1:0";
    const { PATH } = process.env;
    this.#env = { PATH, MICRO_HOME: home, HOME: home };
    const settings = {
      MICRO_API_ADDRESS: free,
      MICRO_PROXY_ADDRESS: free,
      MICRO_WEB_ADDRESS: free,
      MICRO_NETWORK_ADDRESS: free,
      MICRO_LOG_LEVEL: "debug",
    };
    const env = { ...this.#env, ...settings, ...more };
    this.process = bench.start(name, launcher, ["server", "--output=json"], { env, isProfiled });
  }

  /** Resolves when every service of the platform is up. */
  async ready(): Promise<void> {
    const [text] = await this.process.saying(/^\{[\s\S]*?^\}/m);
    const { api, proxy } = JSON.parse(text) as Record<"api" | "proxy", string>;
    this.#addresses = { api: api.replace("http://", ""), proxy };
  }

  /** `host:port` of the gateway and of the proxy. */
  get addresses(): { readonly api: string; readonly proxy: string } {
    if (this.#addresses === undefined) throw new Error("micro server is not ready yet");
    return this.#addresses;
  }

  /** The `authorization` value of the admin of this machine. */
  async authorization(): Promise<string> {
    const text = await readFile(credentialsPath(this.#home, this.addresses.proxy), "utf8");
    return `Bearer ${(JSON.parse(text) as { token: string }).token}`;
  }

  /** Runs `micro …` against it, to its end. */
  async micro(...args: readonly string[]): Promise<string> {
    return this.microFrom(this.#launcher, ...args);
  }

  /** The same with another installation of the command. */
  async microFrom(launcher: string, ...args: readonly string[]): Promise<string> {
    const env = { ...this.#env, MICRO_PROXY: this.addresses.proxy };
    const { stdout } = await run(process.execPath, [launcher, ...args], { env });
    return stdout;
  }

  /** Deploys the example as `micro run` does, and lets signed-in callers call it. */
  async deployHelloworld(): Promise<void> {
    await this.micro("run", helloworldFolder);
    await this.letSignedInCall("helloworld");
  }

  /** A rule, which the proxy and the gateway then have to find. */
  async letSignedInCall(service: string): Promise<void> {
    const rule = ["--scope=*", `--resource=service:${service}:*`, "--access=granted", "--priority=1", "signed-in"];
    await this.micro("auth", "create", "rule", ...rule);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.process[Symbol.asyncDispose]();
  }
}

export interface MicroServerOptions {
  /** Fills its data directory before it starts. */
  readonly fill?: (dataDir: string) => Promise<void>;
  /** Added to its environment. */
  readonly env?: NodeJS.ProcessEnv;
}

/** Starts it and resolves when it is ready. */
export async function startMicroServer(
  bench: Bench,
  name: string,
  { fill, env }: MicroServerOptions = {},
): Promise<MicroServer> {
  const home = await bench.newFolder(`home-${name}`);
  await fill?.(join(home, "server"));
  const server = new MicroServer(bench, name, home, { isProfiled: true, ...(env !== undefined && { env }) });
  await server.ready();
  return server;
}
