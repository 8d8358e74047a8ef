import type { Context } from "../../context.ts";
import { serverFlags } from "../../start-server.ts";

export const dataDirFlag = serverFlags.data_dir;

/** Where a server that is started here keeps everything. */
export async function dataDirectory({ env }: Context, named: string | undefined): Promise<string> {
  const { parseSettings } = await import("@microts/platform");
  return parseSettings(
    { MICRO_HOME: env["MICRO_HOME"], HOME: env["HOME"], MICRO_DATA_DIR: env["MICRO_DATA_DIR"] },
    { data_dir: named },
  ).dataDir;
}
