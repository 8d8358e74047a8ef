import { command } from "../command.ts";
import { usageError } from "../failure.ts";
import { makeProject } from "../new-project.ts";

export const newService = command({
  summary: "Make the folder of a new service",
  args: "[name]",
  examples: ["new helloworld"],
  run: async ({ out, folder }, _flags, [path]) => {
    if (path === undefined) throw usageError("specify service name: micro new helloworld");
    const { name, files, isLinked } = await makeProject(path, folder);
    const note = isLinked
      ? ""
      : "The framework's copy in the micro command was not found: run npm install in the folder.\n";
    await out.result(
      { name, folder: path, files },
      `Creating service ${name}\n\n${tree(path, files)}\n${note}${nextSteps(path, name)}`,
    );
  },
});

function tree(root: string, files: readonly string[]): string {
  const lines = files.map((file, index) => `${index === files.length - 1 ? "└──" : "├──"} ${file}`);
  return `${[root, ...lines].join("\n")}\n`;
}

function nextSteps(path: string, name: string): string {
  return [
    "Next:",
    `  micro dev ./${path.replace(/^\.\//, "")}           # runs it, reloads on each save`,
    `  micro ${name} --name=Jane    # in a second terminal`,
    "",
  ].join("\n");
}
