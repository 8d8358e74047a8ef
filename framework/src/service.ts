import { realpathSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { MicroError } from "@microts/core";
import type { Endpoint } from "./endpoint.ts";
import { type RunningService, run } from "./run.ts";

export type Endpoints = Readonly<Record<string, Endpoint>>;

export interface ServiceOptions {
  /** Default `latest`. */
  readonly version?: string;
  /** Shown by `micro get service` and the dashboard. */
  readonly description?: string;
  /** Added to the service's registration. */
  readonly metadata?: Readonly<Record<string, string>>;
}

/** A service: its name, its endpoints, and the way to start it. */
export class Service<E extends Endpoints = Endpoints> {
  readonly name: string;
  readonly endpoints: E;
  readonly options: ServiceOptions;
  #running: Promise<RunningService> | undefined;

  constructor(name: string, endpoints: E, options: ServiceOptions = {}) {
    this.name = checkName(name);
    this.endpoints = endpoints;
    this.options = options;
  }

  /** Listens, registers and serves until the process is told to stop. A second call returns the first one's promise. */
  run(): Promise<RunningService> {
    this.#running ??= run(this);
    return this.#running;
  }
}

/**
 * Declares a service. Each endpoint is under its name: `call` is `Helloworld.Call`, `listPosts` is `Helloworld.ListPosts`, and a name with a
 * dot such as `Admin.reset` sets the handler too. The file that Node.js was started with runs the service it exports as default;
 * importing a service from elsewhere starts nothing.
 */
export function service<const E extends Endpoints>(name: string, endpoints: E, options?: ServiceOptions): Service<E> {
  scheduleMain();
  return new Service(name, endpoints, options);
}

function checkName(name: string): string {
  if (/^[a-zA-Z0-9][a-zA-Z0-9._-]{0,62}$/.test(name)) return name;
  throw MicroError.badRequest(
    "service",
    `"${name}" can't be the name of a service: letters, digits, dots and dashes, at most 63, beginning with a letter or digit`,
  );
}

let scheduled = false;

/** After the main module has been evaluated, runs the service it exports as default. */
function scheduleMain(): void {
  const main = process.argv[1];
  if (scheduled || main === undefined) return;
  scheduled = true;
  setImmediate(async () => {
    const exported: unknown = await import(pathToFileURL(realMain(main)).href).then(
      (module: { default?: unknown }) => module.default,
      () => undefined,
    );
    if (!(exported instanceof Service)) return;
    exported.run().catch((error: unknown) => {
      const { detail } = MicroError.from(error, exported.name);
      process.stderr.write(`${exported.name}: ${detail}\n`);
      process.exit(1);
    });
  });
}

function realMain(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}
