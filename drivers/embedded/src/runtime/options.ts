import type { BlobDriver, StoreDriver } from "@microts/blocks/store";
import type { Log } from "@microts/core";
import type { Clock } from "./clock.ts";
import type { Credentials } from "./deployment.ts";

/** Something that has happened to a service. */
export interface RuntimeEvent {
  readonly type: "service.created" | "service.updated" | "service.deleted";
  readonly namespace: string;
  readonly name: string;
  readonly version: string;
}

/** What the embedded runtime needs of the server around it. */
export interface EmbeddedRuntimeOptions {
  /** The server's data directory; the runtime makes `runtime`, `runtime-processes`, `logs` and `npm-cache` in it. */
  readonly dataDir: string;
  /** Records go into the table `runtime` of the platform's own database. */
  readonly store: StoreDriver;
  /** Sources are read from it, and bundles written to it as `build://name:version`. */
  readonly blobs: BlobDriver;
  readonly log: Log;
  /** Where processes reach the platform, `host:port`; asked for at each start. */
  proxyAddress(): string;
  /** PEM in base64: what processes verify tokens with. */
  readonly publicKey: string;
  /** Resolves once this node of the service is in the registry and answers; rejects when the signal aborts. */
  registered(namespace: string, name: string, version: string, nodeId: string, signal: AbortSignal): Promise<void>;
  /** Takes a node out of routing; resolves when no new call goes there. A node that isn't there is no error. */
  drain(namespace: string, nodeId: string): Promise<void>;
  /** The account of a service, made when there is none. What it returned before stays good until `revoke`. */
  credentials(namespace: string, name: string, version: string): Promise<Credentials>;
  /** Ends the account. One that isn't there is no error. */
  revoke(namespace: string, name: string, version: string): Promise<void>;
  /** Modules that services import without bringing them: name → absolute real path of a file. */
  readonly frameworkModules: Readonly<Record<string, string>>;
  /** Told of every change, after it. */
  events?(event: RuntimeEvent): void | Promise<void>;
  /** The server's environment, of which services see PATH, TZ and LANG, and npm also `npm_config_registry`. Default: none, with a standard PATH. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
  /** How long a process may take to end once asked to. Default 15 s. */
  readonly stopGraceMs?: number;
  /** How long a process may take to register. Default 30 s. */
  readonly registerTimeoutMs?: number;
  /** What restarts are timed by. Default the system's. */
  readonly clock?: Clock;
}
