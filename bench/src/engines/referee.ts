import { homedir } from "node:os";
import { join } from "node:path";

const { MICRO_REFEREES, XDG_CACHE_HOME } = process.env;
const cache = MICRO_REFEREES ?? join(XDG_CACHE_HOME || join(homedir(), ".cache"), "micro-referees");

/** Where `tools/referees.sh` puts a program that it builds. */
export function refereePath(name: string): string {
  return join(cache, "bin", name);
}
