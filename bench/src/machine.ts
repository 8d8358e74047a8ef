import { readFile } from "node:fs/promises";
import { availableParallelism, cpus, release } from "node:os";

/** The head of RESULTS.md: what was run, when, on what. */
export async function describeMachine(command: string, notes: readonly string[]): Promise<string> {
  const versionOf = async (name: string) => {
    const text = await readFile(new URL(`../../node_modules/${name}/package.json`, import.meta.url), "utf8");
    return `${name} ${(JSON.parse(text) as { version: string }).version}`;
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
