// Compiles proto/**/*.proto into proto/gen, and testing/proto into testing/gen, with the compiler and the generator from npm, never the machine's own.
// Then writes the reference of commands, which stands on that code. `--check` changes nothing and fails when either is not what would be generated.
import { spawn } from "node:child_process";
import { glob, mkdir, mkdtemp, readFile, rm, rmdir, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const modules = join(root, "node_modules");
/** Folders of .proto files, and where the code generated from them goes. */
const compiled: readonly Folders[] = [
  { protos: "proto", target: "proto/gen" },
  { protos: "testing/proto", target: "testing/gen" },
];
const generatorOptions = "target=ts,import_extension=ts,erasable_syntax=true";

interface Folders {
  protos: string;
  target: string;
}

interface Difference {
  missing: string[];
  changed: string[];
  stale: string[];
}

const { values } = parseArgs({ options: { check: { type: "boolean", default: false } } });
try {
  for (const folders of compiled) await generate(folders, values.check);
  await updateReference(values.check);
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}

async function generate({ protos, target }: Folders, check: boolean): Promise<void> {
  const fresh = await mkdtemp(join(tmpdir(), "micro-generate-"));
  try {
    await compile(join(root, protos), fresh);
    const difference = await compare(fresh, join(root, target));
    if (check) report(protos, target, difference);
    else await update(fresh, target, difference);
  } finally {
    await rm(fresh, { recursive: true, force: true });
  }
}

/** Loaded here and not above: the commands don't load before the code that they call has been generated. */
async function updateReference(check: boolean): Promise<void> {
  const { updateCliReference } = await import("./cli-reference.ts");
  if ((await updateCliReference({ check })) || !check) return;
  console.error("docs/reference/cli.md is not what the commands say. Run npm run generate and commit the result.");
  process.exitCode = 1;
}

async function compile(protos: string, out: string): Promise<void> {
  const files = await list(protos, "**/*.proto");
  const plugin = join(modules, ".bin", process.platform === "win32" ? "protoc-gen-es.cmd" : "protoc-gen-es");
  const args = [
    join(modules, "protoc", "protoc.cjs"),
    `--plugin=protoc-gen-es=${plugin}`,
    `--proto_path=${protos}`,
    `--proto_path=${join(modules, "protoc", "include")}`,
    `--es_out=${out}`,
    `--es_opt=${generatorOptions}`,
    ...files,
  ];
  // The generator is a script that looks for `node` on the path: let it find this one.
  const env = { ...process.env, PATH: `${dirname(process.execPath)}${delimiter}${process.env.PATH ?? ""}` };
  const child = spawn(process.execPath, args, { cwd: protos, env, stdio: ["ignore", "ignore", "pipe"] });
  const exited = new Promise<number>((done, failed) => {
    child.once("error", failed);
    child.once("close", (code) => done(code ?? 1));
  });
  const [code, complaints] = await Promise.all([exited, text(child.stderr)]);
  if (code !== 0 || complaints !== "") throw new Error(`protoc did not accept the files in ${protos}:\n${complaints}`);
}

async function compare(wanted: string, present: string): Promise<Difference> {
  const [wantedFiles, presentFiles] = await Promise.all([list(wanted, "**/*.ts"), list(present, "**/*.*")]);
  const difference: Difference = { missing: [], changed: [], stale: [] };
  for (const file of wantedFiles) {
    if (!presentFiles.includes(file)) difference.missing.push(file);
    else if (!(await isSame(join(wanted, file), join(present, file)))) difference.changed.push(file);
  }
  difference.stale = presentFiles.filter((file) => !wantedFiles.includes(file));
  return difference;
}

async function isSame(one: string, other: string): Promise<boolean> {
  return (await readFile(one)).equals(await readFile(other));
}

function report(protos: string, target: string, difference: Difference): void {
  const parts = Object.entries(difference).filter(([, files]) => files.length > 0);
  if (parts.length === 0) return;
  const details = parts.map(([kind, files]) => `${kind}: ${files.join(", ")}`).join("; ");
  console.error(`${target} is not what ${protos} generates (${details}). Run npm run generate and commit the result.`);
  process.exitCode = 1;
}

async function update(from: string, target: string, { missing, changed, stale }: Difference): Promise<void> {
  for (const file of [...missing, ...changed]) {
    const path = join(root, target, file);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, await readFile(join(from, file)));
  }
  for (const file of stale) await removeStale(join(root, target), file);
  console.log(`${target}: ${missing.length} added, ${changed.length} changed, ${stale.length} removed.`);
}

/** Removes a file, and the folders that it leaves empty. */
async function removeStale(target: string, file: string): Promise<void> {
  const path = join(target, file);
  await rm(path);
  for (let folder = dirname(path); folder !== target; folder = dirname(folder)) {
    const isGone = await rmdir(folder).then(
      () => true,
      () => false,
    );
    if (!isGone) return;
  }
}

/** Files below a folder as paths with forward slashes, in order; none when there is no such folder. */
async function list(folder: string, pattern: string): Promise<string[]> {
  const found = await Array.fromAsync(glob(pattern, { cwd: folder, exclude: ["**/node_modules/**"] }));
  return found.map((path) => path.replaceAll("\\", "/")).toSorted();
}
