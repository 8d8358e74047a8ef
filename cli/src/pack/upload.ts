import type { Context } from "../context.ts";
import { archive } from "./archive.ts";
import { type Listing, listFolder, type PackedFile } from "./files.ts";
import type { Project } from "./project.ts";
import { listFile } from "./single-file.ts";

/** A project as it lies on the disk now. */
export interface Packed extends Listing {
  readonly project: Project;
}

/** Lists what belongs to the project: anew each time, because files come and go. */
export async function packProject(project: Project): Promise<Packed> {
  if (project.file !== undefined) return listFile(project, project.file);
  return { ...(await listFolder(project)), project };
}

/** Uploads files as the source of a service and returns the id under which the runtime finds it. */
export async function upload(
  files: readonly PackedFile[],
  name: string,
  version: string,
  { session, signal }: Context,
): Promise<string> {
  const { Source } = await import("@microts/proto/runtime");
  const source = await session.client(Source, "runtime");
  async function* requests() {
    // Every message names the service: the original reads it from the first, others may read it from any.
    for await (const data of archive(files)) yield { service: { name, version }, data };
  }
  const { id } = await source.upload(requests(), { signal });
  return id;
}
