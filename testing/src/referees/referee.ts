import { accessSync, constants } from "node:fs";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";

/** A program of others that our own is judged by. */
export interface Referee {
  readonly path: string;
  /** Why the tests that need it can't run here, or false. */
  readonly skip: string | false;
}

/** Where `tools/referees.sh` puts them. */
const cache =
  process.env["MICRO_REFEREES"] ?? join(process.env["XDG_CACHE_HOME"] || join(homedir(), ".cache"), "micro-referees");

/** Finds a program that `tools/referees.sh` builds. Throws under CI when it isn't there: a skip would hide that nothing was judged. */
export function referee(name: string): Referee {
  return found(name, join(cache, "bin", name), "tools/referees.sh brings it");
}

/** The Python of `tools/referees.sh`, which has grpcio. Throws under CI when it isn't there. */
export function refereePython(): Referee {
  return found("Python with grpcio", join(cache, "python", "bin", "python"), "tools/referees.sh brings it");
}

/** Finds a program of the system, by the Debian package that has it. Throws under CI when it isn't there. */
export function installed(name: string, debian: string): Referee {
  const places = (process.env["PATH"] ?? "").split(delimiter).map((folder) => join(folder, name));
  return found(name, places.find(isProgram), `it is in the package ${debian}`);
}

function found(name: string, path: string | undefined, remedy: string): Referee {
  if (path !== undefined && isProgram(path)) return { path, skip: false };
  const reason = `there is no ${name} here: ${remedy}`;
  if (process.env["CI"] === "true") throw new Error(reason);
  return { path: name, skip: reason };
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
