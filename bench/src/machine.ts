import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { availableParallelism, cpus, release } from "node:os";

/** The head of RESULTS.md: what was run, when, on what. */
export async function describeMachine(command: string, notes: readonly string[]): Promise<string> {
  const require = createRequire(import.meta.url);
  const versionOf = async (name: string) => {
    const manifest = JSON.parse(await readFile(require.resolve(`${name}/package.json`), "utf8")) as { version: string };
    return `${name} ${manifest.version}`;
  };
  const versions = await Promise.all(["@grpc/grpc-js", "@bufbuild/protobuf", "zod"].map(versionOf));
  const cpu = `${availableParallelism()} × ${cpus()[0]?.model.trim() ?? "unknown CPU"}`;
  return [
    "# Results",
    "",
    "Written by the bench, not by hand. Contenders take turns within a row, so a ratio compares runs of the same minutes: it is the median of",
    "the ratios of each round. Absolute values say little about another machine.",
    "",
    `- ${new Date().toISOString().slice(0, 10)}: \`${command}\``,
    `- Node.js ${process.versions.node}, ${versions.join(", ")}`,
    `- ${cpu}, Linux ${release()}; the load process shares the cores with the servers`,
    ...notes.map((note) => `- ${note}`),
  ].join("\n");
}
