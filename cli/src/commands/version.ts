import { command } from "../command.ts";
import { findInstallation } from "../installation.ts";

/** `micro version 0.1.0`, or the same in JSON. */
export async function versionText(isJson: boolean): Promise<string> {
  const { version } = await findInstallation();
  return isJson ? `${JSON.stringify({ version }, undefined, "\t")}\n` : `micro version ${version}\n`;
}

export const version = command({
  summary: "Show the version",
  run: async ({ out }) => out.write(await versionText(out.isJson)),
});
