import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { CreateOptions, SourceKind } from "@microts/blocks/runtime";
import type { BlobDriver, StoreDriver } from "@microts/blocks/store";
import { silent } from "@microts/core";
import {
  EmbeddedRuntime,
  type EmbeddedRuntimeOptions,
  openEmbeddedBlobs,
  openEmbeddedStore,
} from "@microts/driver-embedded";
import { pack } from "tar-stream";

/** A runtime with a real store and blobs below it and, in place of a server, an HTTP port at which processes register. */
export interface RuntimePlatform extends AsyncDisposable {
  readonly runtime: EmbeddedRuntime;
  readonly dataDir: string;
  readonly store: StoreDriver;
  readonly blobs: BlobDriver;
  /** Every node that has ever registered, in order. */
  readonly registered: readonly string[];
  /** Nodes that were taken out of routing. */
  readonly drained: readonly string[];
  /** `namespace/name/version` of accounts that were ended. */
  readonly revoked: readonly string[];
  readonly events: readonly string[];
  /** Uploads files and creates a service in `micro` from them. */
  run(name: string, files: Readonly<Record<string, string>>, options?: Partial<CreateOptions>): Promise<void>;
  /** What the service has written. */
  messages(name: string): Promise<string[]>;
}

export interface RuntimePlatformOptions extends Omit<Partial<EmbeddedRuntimeOptions>, "registerTimeoutMs"> {
  /** Kept when it is disposed. Default: a new one, which is removed. */
  readonly keep?: string;
  /** Default: the runtime's own. Less than a few seconds is too little for a process on a busy machine. */
  readonly registerTimeoutMs?: number | undefined;
}

const never = new AbortController().signal;

/** Opens a platform. */
export async function openRuntimePlatform({
  keep,
  registerTimeoutMs,
  ...options
}: RuntimePlatformOptions = {}): Promise<RuntimePlatform> {
  const dataDir = keep ?? (await mkdtemp(join(tmpdir(), "micro-runtime-")));
  const registry = await openRegistry();
  const store = await openEmbeddedStore({ dataDir });
  const blobs = await openEmbeddedBlobs(store.database);
  const [drained, revoked, events]: [string[], string[], string[]] = [[], [], []];
  const runtime = new EmbeddedRuntime({
    dataDir,
    store,
    blobs,
    log: silent,
    proxyAddress: () => registry.address,
    publicKey: "cHVibGlj",
    registered: (_namespace, _name, _version, nodeId) => registry.registered(nodeId),
    drain: async (_namespace, nodeId) => void drained.push(nodeId),
    credentials: async (namespace, name, version) => ({ id: `${name}-${version}`, secret: `secret of ${namespace}` }),
    revoke: async (namespace, name, version) => void revoked.push(`${namespace}/${name}/${version}`),
    frameworkModules: {},
    events: ({ type, name }) => void events.push(`${type} ${name}`),
    environment: { PATH: process.env["PATH"] },
    ...(registerTimeoutMs !== undefined && { registerTimeoutMs }),
    stopGraceMs: 1000,
    ...options,
  });
  await runtime.start();
  return {
    runtime,
    dataDir,
    store,
    blobs,
    registered: registry.nodes,
    drained,
    revoked,
    events,
    async run(name, files, options = {}) {
      const source = await runtime.upload("micro", name, "latest", tarOf(files), never);
      const all = { env: {}, entrypoint: "", command: [], args: [], instances: 1, force: false, ...options };
      await runtime.create(
        "micro",
        { name, version: "latest", source, metadata: {} },
        all,
        { name: "admin", group: "micro" },
        never,
      );
    },
    async messages(name) {
      const query = { service: name, version: "", count: 0, since: undefined, follow: false };
      return (await Array.fromAsync(await runtime.logs("micro", query, never))).map(({ message }) => message);
    },
    async [Symbol.asyncDispose]() {
      await runtime[Symbol.asyncDispose]();
      await blobs[Symbol.asyncDispose]();
      await store[Symbol.asyncDispose]();
      await registry[Symbol.asyncDispose]();
      if (keep === undefined) await rm(dataDir, { recursive: true, force: true });
    },
  };
}

async function openRegistry() {
  const nodes: string[] = [];
  const waiting = new Map<string, () => void>();
  const server = createServer((request, response) => {
    const node = new URL(request.url ?? "/", "http://registry").searchParams.get("node") ?? "";
    nodes.push(node);
    waiting.get(node)?.();
    response.end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    nodes,
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    registered: (node: string) =>
      nodes.includes(node) ? Promise.resolve() : new Promise<void>((resolve) => waiting.set(node, resolve)),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Code that registers with a `RuntimePlatform` once `message` is printed, does what is to be done `then`, and stays. */
export function registering(message: string, then = ""): string {
  return `
import { get } from "node:http";
const { MICRO_PROXY: proxy, MICRO_SERVICE_NODE_ID: node } = process.env;
process.stdout.write(${JSON.stringify(`${message}\n`)}, () => get(\`http://\${proxy}/?node=\${node}\`, (reply) => { reply.resume(); ${then} }));
setInterval(() => {}, 60_000);
`;
}

const kinds: Readonly<Record<SourceKind, string>> = {
  good: registering("ready"),
  better: registering("better"),
  exits: 'console.log("about to fail"); process.exitCode = 3;',
  broken: "export const x: number = ;\n",
  silent: "setInterval(() => {}, 60_000);",
};

/** The sources of the runtime's conformance suite. */
export function runtimeSource(kind: SourceKind): AsyncIterable<Uint8Array> {
  return tarOf({ "index.ts": kinds[kind] });
}

/** An uncompressed tar of text files by their paths. */
export async function* tarOf(files: Readonly<Record<string, string>>): AsyncGenerator<Uint8Array, void, undefined> {
  const archive = pack();
  for (const [name, text] of Object.entries(files)) archive.entry({ name }, text);
  archive.finalize();
  for await (const chunk of archive) yield chunk as Uint8Array;
}
