import type { Context } from "../context.ts";
import { type CreateChoices, create, type Deployment, update } from "../deploy.ts";
import { failureOf } from "../failure.ts";
import type { PackedFile } from "../pack/files.ts";
import type { Project } from "../pack/project.ts";
import { packProject } from "../pack/upload.ts";
import { Changes } from "./changes.ts";

/** What `micro dev` is told while it works. */
export interface LoopEvents {
  /** A version runs. `isFirst` until one has. */
  onRunning(elapsedMs: number, isFirst: boolean): Promise<void>;
  /** A version didn't; `isOldRunning` says whether the one before does. */
  onFailed(text: string, isOldRunning: boolean): void;
}

/** Runs the project, then brings every change of its files to the runtime, until the signal aborts. Returns whether a version ran. */
export async function developUntilStopped(
  deployment: Deployment,
  choices: CreateChoices,
  events: LoopEvents,
  context: Context,
): Promise<boolean> {
  using changes = new Changes();
  changes.watch([deployment.project.root]);
  let isRunning = false;
  let print = "";
  do {
    const { project, folders, files } = await listOrNothing(deployment.project);
    if (folders.length > 0) changes.watch(folders);
    const now = fingerprint(files);
    // Files that are ignored, and saves that change nothing, wake the watcher too.
    if (now === print && now !== "") continue;
    print = now;
    const started = performance.now();
    try {
      const next = { ...deployment, project };
      await (isRunning ? update(next, context) : create(next, choices, context));
      await events.onRunning(performance.now() - started, !isRunning);
      isRunning = true;
    } catch (error) {
      if (context.signal.aborted) break;
      const failure = failureOf(error, false);
      if (failure.exitCode === 4) throw error;
      events.onFailed(failure.text, isRunning);
    }
  } while (await changes.next(context.signal));
  return isRunning;
}

/** A file that doesn't compile lists nothing; running it then says why. */
async function listOrNothing(project: Project): ReturnType<typeof packProject> {
  try {
    return { ...(await packProject(project)), project };
  } catch {
    return { project, files: [], folders: [], skippedLinks: [] };
  }
}

function fingerprint(files: readonly PackedFile[]): string {
  return files.map(({ name, bytes, modifiedMs }) => `${name}\0${bytes}\0${modifiedMs}`).join("\n");
}
