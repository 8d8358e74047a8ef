// Makes tarballs/*.tgz of every publishable workspace. In the repository packages export their TypeScript sources; Node.js
// runs no TypeScript below node_modules, so what is packed holds JavaScript and declarations, staged in dist/pack.
import { spawn } from "node:child_process";
import { cp, glob, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join, posix, relative } from "node:path";
import { fileURLToPath } from "node:url";

interface Manifest {
  name: string;
  version: string;
  private?: boolean;
  workspaces?: string[];
  exports?: Record<string, string>;
  files?: string[];
  dependencies?: Record<string, string>;
  [other: string]: unknown;
}

/** A publishable workspace. */
interface Package {
  manifest: Manifest;
  /** Its folder in the repository, relative to the root. */
  folder: string;
  /** The folder inside it that holds the TypeScript to build; undefined when it builds itself (the dashboard). */
  sources: "src" | "gen" | undefined;
  /** Where it's put together, absolute. */
  staged: string;
}

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const built = join(root, "dist", "build");
const staging = join(root, "dist", "pack");
const tarballs = join(root, "tarballs");

await Promise.all([built, staging, tarballs].map((path) => rm(path, { recursive: true, force: true })));
await Promise.all([built, staging, tarballs].map((path) => mkdir(path, { recursive: true })));
const packages = await publishable();
await compile(packages);
await run("npm", ["run", "build", "-w", "dashboard"]);
await Promise.all(packages.map(stage));
for (const pack of packages) if ("bin" in pack.manifest) await bundle(pack, packages);
const folders = packages.map(({ staged }) => `./${relative(root, staged)}`);
await run("npm", ["pack", "--ignore-scripts", "--loglevel=error", "--pack-destination", tarballs, ...folders]);

async function publishable(): Promise<Package[]> {
  const { workspaces = [] } = await readManifest(root);
  const packages: Package[] = [];
  for await (const path of glob(workspaces, { cwd: root })) {
    const folder = path.replaceAll("\\", "/");
    const manifest = await readManifest(join(root, folder));
    if (manifest.private) continue;
    const sources = folder === "dashboard" ? undefined : folder === "proto" ? "gen" : "src";
    packages.push({ manifest, folder, sources, staged: join(staging, manifest.name) });
  }
  return packages;
}

/** Builds all packages in one go, so that each is checked against the sources of the others. */
async function compile(packages: Package[]): Promise<void> {
  const include = packages.flatMap(({ folder, sources }) => (sources ? [join(root, folder, sources)] : []));
  const settings = {
    extends: join(root, "tsconfig.json"),
    compilerOptions: {
      rootDir: root,
      outDir: built,
      noEmit: false,
      noEmitOnError: true,
      declaration: true,
      rewriteRelativeImportExtensions: true,
      types: ["node"],
      typeRoots: [join(root, "node_modules", "@types")],
    },
    include,
    exclude: ["**/*.test.ts", "**/node_modules"].map((pattern) => join(root, pattern)),
  };
  const config = join(built, "tsconfig.json");
  await writeFile(config, JSON.stringify(settings));
  await run(process.execPath, [join(root, "node_modules", ".bin", "tsc"), "-p", config]);
}

/** Puts one package together: built code, the other files that its package.json lists, the licence. */
async function stage({ manifest, folder, sources, staged }: Package): Promise<void> {
  const from = join(root, folder);
  await mkdir(staged, { recursive: true });
  for await (const file of glob(manifest.files ?? [], { cwd: from })) {
    if (file === "dist" && sources) continue;
    await cp(join(from, file), join(staged, file), { recursive: true });
  }
  if (sources) await cp(join(built, folder, sources), join(staged, "dist"), { recursive: true });
  await cp(join(root, "LICENSE"), join(staged, "LICENSE"));
  await cp(join(from, "README.md"), join(staged, "README.md")).catch(() => undefined);
  const { scripts: _scripts, devDependencies: _devDependencies, ...published } = manifest;
  if (sources && manifest.exports) {
    const exports = Object.entries(manifest.exports).map(([subpath, target]) => [
      subpath,
      builtExport(target, sources),
    ]);
    Object.assign(published, { exports: Object.fromEntries(exports) });
  }
  await writeManifest(staged, published);
}

function builtExport(source: string, sources: string): { types: string; default: string } {
  const base = `./${posix.join("dist", posix.relative(sources, source)).replace(/\.ts$/, "")}`;
  return { types: `${base}.d.ts`, default: `${base}.js` };
}

/**
 * Makes the `micro` command self-contained: the packages it uses go inside its own, so that its one tarball installs and
 * works without the others. What those depend on moves up into its own dependencies: npm takes everything that a bundled
 * package names for bundled too, and would install nothing.
 */
async function bundle(command: Package, packages: Package[]): Promise<void> {
  const inside = closure(command, packages);
  const names = inside.map(({ manifest }) => manifest.name);
  for (const { manifest, staged } of inside) {
    const target = join(command.staged, "node_modules", manifest.name);
    await cp(staged, target, { recursive: true });
    const { dependencies: _movedUp, ...rest } = await readManifest(staged);
    await writeManifest(target, rest);
  }
  const all = [command, ...inside].flatMap(({ manifest }) => Object.entries(manifest.dependencies ?? {}));
  const dependencies = Object.fromEntries(all.toSorted());
  const clash = all.find(([name, version]) => dependencies[name] !== version);
  if (clash)
    throw new Error(`Two versions of ${clash[0]} in the workspaces: ${clash[1]} and ${dependencies[clash[0]]}.`);
  await writeManifest(command.staged, {
    ...(await readManifest(command.staged)),
    dependencies,
    bundledDependencies: names,
  });
}

/** The packages that `start` needs, directly or not. */
function closure(start: Package, packages: Package[]): Package[] {
  const found = new Set<Package>();
  const add = ({ manifest }: Package): void => {
    for (const name of Object.keys(manifest.dependencies ?? {})) {
      const next = packages.find((candidate) => candidate.manifest.name === name);
      if (next === undefined || found.has(next)) continue;
      found.add(next);
      add(next);
    }
  };
  add(start);
  return [...found];
}

async function readManifest(folder: string): Promise<Manifest> {
  return JSON.parse(await readFile(join(folder, "package.json"), "utf8"));
}

async function writeManifest(folder: string, manifest: object): Promise<void> {
  await writeFile(join(folder, "package.json"), `${JSON.stringify(manifest, null, 2)}\n`);
}

async function run(program: string, args: string[]): Promise<void> {
  const child = spawn(program, args, { cwd: root, stdio: "inherit" });
  const code = await new Promise<number>((done, failed) =>
    child.once("error", failed).once("close", (code) => done(code ?? 1)),
  );
  if (code === 0) return;
  console.error(`${program} ${args.join(" ")} failed.`);
  process.exit(1);
}
