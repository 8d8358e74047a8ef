import { randomUUID } from "node:crypto";
import { mkdir, readdir, realpath, rm } from "node:fs/promises";
import { join } from "node:path";

/** The folders of one deploy. */
export interface Workspace {
  /** Random. */
  readonly name: string;
  readonly dir: string;
  /** The unpacked source, with the bundle in it. */
  readonly source: string;
  /** The service's own HOME and TMPDIR. */
  readonly home: string;
  readonly tmp: string;
  /** Not there except while dependencies are fetched. */
  readonly scratch: string;
}

/** One folder for each namespace, and in it one for each deploy, readable by the server's user alone. */
export class Workspaces {
  readonly #given: string;
  #root = "";

  constructor(root: string) {
    this.#given = root;
  }

  /** Makes the folder and removes deploys that no service has, as a crash may leave them. */
  async prepare(used: ReadonlySet<string>): Promise<void> {
    await mkdir(this.#given, { recursive: true, mode: 0o700 });
    this.#root = await realpath(this.#given);
    for (const namespace of await readdir(this.#root)) {
      for (const name of await readdir(join(this.#root, namespace))) {
        if (!used.has(name)) await rm(join(this.#root, namespace, name), { recursive: true, force: true });
      }
    }
  }

  async create(namespace: string): Promise<Workspace> {
    const workspace = this.open(namespace, randomUUID());
    for (const dir of [workspace.source, workspace.home, workspace.tmp])
      await mkdir(dir, { recursive: true, mode: 0o700 });
    return workspace;
  }

  /** The folders of a deploy, whether they are there or not. */
  open(namespace: string, name: string): Workspace {
    const dir = join(this.#root, encodeURIComponent(namespace), name);
    return {
      name,
      dir,
      source: join(dir, "source"),
      home: join(dir, "home"),
      tmp: join(dir, "tmp"),
      scratch: join(dir, "npm"),
    };
  }

  async remove(workspace: Workspace): Promise<void> {
    await rm(workspace.dir, { recursive: true, force: true, maxRetries: 3 });
  }
}
