import { type BlobDriver, wholeBlob } from "@microts/blocks/store";
import { MicroError } from "@microts/core";
import type { Builder, Bundle } from "./build.ts";
import { installDependencies } from "./dependencies.ts";
import { detectEntry } from "./entry.ts";
import type { ServiceRecord } from "./record.ts";
import type { Workspace } from "./workspace.ts";

export interface PrepareOptions {
  readonly blobs: BlobDriver;
  readonly builder: Builder;
  /** Names of the packages that the platform provides. */
  readonly provided: ReadonlySet<string>;
  /** A folder for npm's cache. */
  readonly npmCache: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/** A source made ready to run. */
export interface Prepared {
  readonly bundle: Bundle;
  /** The folder that the service runs in. */
  readonly folder: string;
}

/** Unpacks the source into the workspace, finds what to run, fetches what it needs and bundles it. Throws 400 with what is wrong with the source. */
export async function prepareSource(
  record: ServiceRecord,
  workspace: Workspace,
  options: PrepareOptions,
  signal: AbortSignal,
): Promise<Prepared> {
  const { unpackSource } = await import("./unpack.ts");
  await unpackSource(() => readSource(record, options.blobs, signal), workspace.source, signal);
  return buildSource(record, workspace, options, signal);
}

/** The same for a source that is unpacked already. */
export async function buildSource(
  record: ServiceRecord,
  workspace: Workspace,
  options: PrepareOptions,
  signal: AbortSignal,
): Promise<Prepared> {
  const { source, scratch } = workspace;
  const entry = await detectEntry(source, record.entrypoint, record.name);
  const { provided, npmCache, environment } = options;
  await installDependencies({ source, folder: entry.folder, provided, scratch, cache: npmCache, environment }, signal);
  const bundle = await options.builder.build(source, entry, signal);
  return { bundle, folder: entry.folder };
}

async function readSource(
  record: ServiceRecord,
  blobs: BlobDriver,
  signal: AbortSignal,
): Promise<AsyncIterable<Uint8Array>> {
  const chunks = await blobs.read(record.namespace, record.source, wholeBlob, signal);
  if (chunks === undefined) {
    throw MicroError.badRequest(
      "runtime.source",
      `there is no source ${JSON.stringify(record.source)} in namespace "${record.namespace}". Upload it first: micro run does so`,
    );
  }
  return chunks;
}
