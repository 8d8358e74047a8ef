// Who may import whom. Prints one line per import that breaks a rule, and exits 1 when there is one.
// Widen a table only with a page in docs/decisions.
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { type Import, readImports } from "./import-graph.ts";

/** What a layer may import besides itself and installed packages. A driver or an example is a layer of its own. */
const layers: Readonly<Record<string, readonly string[]>> = {
  proto: [],
  core: ["proto"],
  blocks: ["proto", "core"],
  drivers: ["proto", "core", "blocks"],
  framework: ["proto", "core", "blocks"],
  platform: ["proto", "core", "blocks", "drivers", "framework"],
  dashboard: [],
  cli: ["proto", "core", "framework", "platform"],
  examples: ["framework", "examples"],
};

/** The blocks that a block may use, each through its index.ts. */
const blocks: Readonly<Record<string, readonly string[]>> = {
  api: ["auth", "registry"],
  auth: ["store"],
  broker: [],
  config: ["store"],
  events: ["store"],
  network: ["registry", "proxy"],
  proxy: ["registry"],
  registry: [],
  runtime: ["store", "events"],
  store: [],
};

/** Layers that may import anything and that nothing else imports. */
const privateLayers = ["testing", "bench", "tools"];

const isTest = (file: string): boolean => /\.test\.tsx?$/.test(file);

/** The sentence that one import breaks, by the rule's name. Undefined when the rule is kept. */
type Rule = (found: Import) => string | undefined;

const rules: Readonly<Record<string, Rule>> = {
  layers: ({ from, to, isTypeOnly }) => {
    const [own, other] = [layerOf(from), layerOf(to)];
    if (own === other || other === undefined || isFree(from) || isPrivate(to)) return undefined;
    if (own?.startsWith("drivers/") && other.startsWith("drivers/")) return "a driver never imports another driver";
    if (own === "dashboard" && isTypeOnly) return undefined;
    const allowed = layers[own?.split("/")[0] ?? ""] ?? [];
    return !allowed.includes(other.split("/")[0] ?? "") ? `${own} may import ${list(allowed)}` : undefined;
  },
  private: ({ from, to }) => {
    if (isTest(to)) return "a test file is never imported";
    return isPrivate(to) && !isFree(from) ? `${layerOf(to)} is never imported by what is published` : undefined;
  },
  blocks: ({ from, to }) => {
    const [own, other] = [blockOf(from), blockOf(to)];
    if (own === undefined || other === undefined || own === other || isTest(from)) return undefined;
    const allowed = blocks[own] ?? [];
    return !allowed.includes(other) ? `the ${own} block may use ${list(allowed)}` : undefined;
  },
  "block-index": ({ from, to }) => {
    const other = blockOf(to);
    if (other === undefined || blockOf(from) === other || isTest(from)) return undefined;
    return to !== `blocks/src/${other}/index.ts` ? `the ${other} block is used through its index.ts` : undefined;
  },
  "package-names": ({ from, to, isRelative }) => {
    if (!isRelative || isFree(from) || layerOf(from) === layerOf(to)) return undefined;
    return "another package is imported by its name, not by a path";
  },
  "proto-stands-alone": ({ from, to }) => {
    if (layerOf(from) !== "proto" || isTest(from)) return undefined;
    return /^(npm|node):/.test(to) && to !== "npm:@bufbuild/protobuf"
      ? "proto needs @bufbuild/protobuf only"
      : undefined;
  },
  "dashboard-in-browser": ({ from, to }) => {
    return from.startsWith("dashboard/src/") && !isTest(from) && to.startsWith("node:")
      ? "a browser has no Node.js"
      : undefined;
  },
};

/** Every broken rule as `file:line rule: sentence (what was imported)`. */
export async function checkImports(root: string): Promise<string[]> {
  const imports = await readImports(root);
  const broken = imports.flatMap((found) =>
    Object.entries(rules).flatMap(([name, rule]) => {
      const sentence = rule(found);
      return sentence ? [`${found.from}:${found.line} ${name}: ${sentence} (imports ${found.to})`] : [];
    }),
  );
  return [...broken, ...cycles(imports).map((path) => `${path[0]} no-cycles: ${path.join(" → ")}`)];
}

/** Each way round that a depth-first walk of the files closes, once. */
function cycles(imports: readonly Import[]): string[][] {
  const graph = Map.groupBy(imports, ({ from }) => from);
  const found: string[][] = [];
  const done = new Set<string>();
  const walk = (file: string, path: string[]): void => {
    const start = path.indexOf(file);
    if (start >= 0) found.push([...path.slice(start), file]);
    if (start >= 0 || done.has(file)) return;
    for (const { to } of graph.get(file) ?? []) walk(to, [...path, file]);
    done.add(file);
  };
  for (const file of graph.keys()) walk(file, []);
  return found;
}

/** `core`, `drivers/embedded`, `examples/blog`…; undefined for what is no file of ours. */
function layerOf(file: string): string | undefined {
  const [top = "", second] = file.split("/");
  if (top === "drivers" || top === "examples") return `${top}/${second}`;
  return top in layers || privateLayers.includes(top) ? top : undefined;
}

function blockOf(file: string): string | undefined {
  return file.match(/^blocks\/src\/([^/]+)\//)?.[1];
}

const isPrivate = (file: string): boolean => privateLayers.includes(layerOf(file) ?? "");
const isFree = (file: string): boolean => isTest(file) || isPrivate(file);
const list = (names: readonly string[]): string => (names.length === 0 ? "nothing" : `only ${names.join(", ")}`);

if (import.meta.main) {
  const broken = await checkImports(dirname(dirname(fileURLToPath(import.meta.url))));
  for (const line of broken) console.error(line);
  if (broken.length > 0) process.exitCode = 1;
}
