import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { MicroError } from "@microts/core";
import { isObject } from "./json.ts";

export interface Installation {
  /** The folder of this package. */
  readonly folder: string;
  readonly version: string;
}

/** Where this command is installed, found from its own files upwards. */
export async function findInstallation(): Promise<Installation> {
  let folder = dirname(fileURLToPath(import.meta.url));
  for (;;) {
    const manifest = await readManifest(folder);
    if (manifest?.["name"] === "microts") return { folder, version: String(manifest["version"]) };
    const above = dirname(folder);
    if (above === folder)
      throw MicroError.internal("micro", "the micro command is not installed whole: its package.json is missing");
    folder = above;
  }
}

/** The folder of a package that this command depends on. Undefined when it can't be found. */
export async function packageFolder({ folder }: Installation, name: string): Promise<string | undefined> {
  for (const modules of createRequire(join(folder, "package.json")).resolve.paths(name) ?? []) {
    if ((await readManifest(join(modules, name))) !== undefined) return join(modules, name);
  }
  return undefined;
}

async function readManifest(folder: string): Promise<Readonly<Record<string, unknown>> | undefined> {
  const text = await readFile(join(folder, "package.json"), "utf8").catch(() => undefined);
  const manifest: unknown = text === undefined ? undefined : JSON.parse(text);
  return isObject(manifest) ? manifest : undefined;
}
