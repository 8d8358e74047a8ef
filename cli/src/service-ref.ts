import { basename } from "node:path";
import type { Context } from "./context.ts";
import { usageError } from "./failure.ts";
import { findProject, looksLikePath, type Project } from "./pack/project.ts";

/** A service as the user names it: `name`, `name@version`, or the folder or file it was run from. */
export interface ServiceRef {
  readonly name: string;
  readonly version: string;
}

const defaultVersion = "latest";

/** `helloworld@v2`, `.`, `./helloworld` or `hello.ts` → name and version (default `latest`). */
export async function serviceRef(text: string, context: Context): Promise<ServiceRef> {
  const { path, version } = splitVersion(text);
  if (!looksLikePath(path)) return { name: path, version: version ?? defaultVersion };
  const project = await findProject(path, context.folder, context.env["HOME"]).catch(() => undefined);
  return { name: project?.name ?? basename(path), version: version ?? defaultVersion };
}

/** The project that `micro run` and `micro update` are given, and the name and version it runs as. */
export async function sourceRef(
  text: string,
  chosenName: string | undefined,
  context: Context,
): Promise<ServiceRef & { readonly project: Project }> {
  const { path, version } = splitVersion(text);
  const project = await findProject(path, context.folder, context.env["HOME"]);
  const name = chosenName ?? project.name;
  if (!/^[A-Za-z0-9][\w.-]{0,127}$/.test(name)) {
    throw usageError(
      `"${name}" cannot be a service's name: use letters, digits, -, _ and dots, and choose one with --name`,
    );
  }
  return { project, name, version: version ?? defaultVersion };
}

/** What follows the last `@` is the version, unless it is part of a path. */
function splitVersion(text: string): { readonly path: string; readonly version: string | undefined } {
  const at = text.lastIndexOf("@");
  if (at <= 0 || text.slice(at).includes("/")) return { path: text, version: undefined };
  return { path: text.slice(0, at), version: text.slice(at + 1) || undefined };
}
