// Makes a tarball of every publishable workspace, in tarballs/ or in the folder named on the command line. In the repository
// packages export their TypeScript sources; Node.js runs no TypeScript below node_modules, so what is packed holds JavaScript
// and declarations, put together in a temporary folder.
import { spawn } from "node:child_process";
import { rmSync } from "node:fs";
import { cp, glob, mkdir, mkdtemp, readFile, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, posix, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { rolldown } from "rolldown";

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
const tarballs = resolve(process.argv[2] ?? join(root, "tarballs"));
const temporary = await realpath(await mkdtemp(join(tmpdir(), "micro-pack-")));
const built = join(temporary, "built");
const staging = join(temporary, "staged");
process.once("exit", () => rmSync(temporary, { recursive: true, force: true }));

/** What services and the server read from disk: these stay packages of their own inside the command's. */
const kept = ["@microts/service", "@microts/dashboard"];
/** Installed packages that go into the bundle, licences included; the command starts faster for each file it doesn't look for. */
const inlined = ["@bufbuild/protobuf", "zod"];

await mkdir(built);
await mkdir(tarballs, { recursive: true });
for await (const old of glob("*.tgz", { cwd: tarballs })) await rm(join(tarballs, old));
const packages = await publishable();
const dashboard = join(built, "dashboard", "dist");
await Promise.all([
  compile(packages),
  run("npm", ["run", "build", "-w", "dashboard", "--", "--outDir", dashboard, "--emptyOutDir", "--logLevel=warn"]),
]);
await Promise.all(packages.map(stage));
for (const pack of packages) if ("bin" in pack.manifest) await makeSelfContained(pack, packages);
const folders = packages.map(({ staged }) => staged);
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
    if (file === "dist") continue;
    await cp(join(from, file), join(staged, file), { recursive: true });
  }
  await cp(join(built, folder, sources ?? "dist"), join(staged, "dist"), { recursive: true });
  await cp(join(root, "LICENSE"), join(staged, "LICENSE"));
  await cp(join(from, "README.md"), join(staged, "README.md")).catch(() => undefined);
  const { scripts: _scripts, devDependencies: _devDependencies, ...published } = manifest;
  // Not in the workspaces themselves: there it would only make npm complain about an older Node.js, which isn't what runs them.
  if (sources && !("bin" in manifest)) Object.assign(published, { engines: { node: ">=24" } });
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
 * Makes the `micro` command self-contained, so that its one tarball installs and works without the others: its code and the
 * platform's become one bundle, and the packages that services import go inside its own. What all those depend on moves up
 * into its own dependencies: npm takes everything that a bundled package names for bundled too, and would install nothing.
 */
async function makeSelfContained(command: Package, packages: Package[]): Promise<void> {
  const used = [command, ...closure(command, packages)];
  const all = used.flatMap(({ manifest }) => Object.entries(manifest.dependencies ?? {})).toSorted();
  const own = new Set(packages.map(({ manifest }) => manifest.name));
  const outside = Object.fromEntries(all.filter(([name]) => !own.has(name)));
  const clash = all.find(([name, version]) => !own.has(name) && outside[name] !== version);
  if (clash) throw new Error(`Two versions of ${clash[0]} in the workspaces: ${clash[1]} and ${outside[clash[0]]}.`);
  await bundle(command, [...Object.keys(outside).filter((name) => !inlined.includes(name)), "@microts/dashboard"]);
  const inside = new Set(
    packages
      .filter(({ manifest }) => kept.includes(manifest.name))
      .flatMap((each) => [each, ...closure(each, packages)]),
  );
  for (const { manifest, staged } of inside) {
    const target = join(command.staged, "node_modules", manifest.name);
    await cp(staged, target, { recursive: true });
    const { dependencies: _movedUp, ...rest } = await readManifest(staged);
    await writeManifest(target, rest);
  }
  const bundledDependencies = [...inside].map(({ manifest }) => manifest.name);
  const dependencies = {
    ...outside,
    ...Object.fromEntries([...inside].map(({ manifest: { name, version } }) => [name, version])),
  };
  await writeManifest(command.staged, { ...(await readManifest(command.staged)), dependencies, bundledDependencies });
}

/**
 * Replaces the command's built files by few, because each one that is looked for takes as long as a good part of what a short command does:
 * what all commands start with, what calls the server, protobuf, and a file for each command and for the server, loaded when needed.
 */
async function bundle(command: Package, external: string[]): Promise<void> {
  const dist = join(command.staged, "dist");
  const { folder } = command;
  await rm(dist, { recursive: true });
  const bundled = await rolldown({
    cwd: root,
    input: {
      main: join(folder, "src", "main.ts"),
      // Started by its address relative to the file that starts it, which is why all files of the bundle lie in one folder.
      worker: "drivers/embedded/src/sqlite/worker.ts",
    },
    platform: "node",
    transform: { target: "node24" },
    external: external.map((name) => new RegExp(`^${name}($|/)`)),
    preserveEntrySignatures: "allow-extension",
  });
  const { output } = await bundled.write({
    dir: dist,
    // Node.js loads these with less work than ES modules.
    format: "cjs",
    // What runs with kept code may not import().
    dynamicImportInCjs: false,
    entryFileNames: "[name].js",
    chunkFileNames: "[name].js",
    codeSplitting: {
      // Each with what it imports, unless that is in an earlier one.
      groups: [
        {
          name: "start",
          test: inFolder(folder, /src\/(main|registry|session|executable|commands\/services|dynamic\/run)\.ts$/),
          priority: 3,
        },
        { name: "client", test: inFolder("core", /src\/rpc\/client\.ts$/), priority: 2 },
        { name: "protobuf", test: inFolder("node_modules", /@bufbuild\//), priority: 1 },
      ],
    },
  });
  await writeManifest(dist, { type: "commonjs" });
  const modules = output.flatMap((file) => (file.type === "chunk" ? file.moduleIds : []));
  await writeFile(join(dist, "LICENSES.txt"), await noticesOf(modules.map(fromRoot)));
}

function inFolder(folder: string, pattern: RegExp): (module: string) => boolean {
  return (module) => fromRoot(module).startsWith(`${folder}/`) && pattern.test(fromRoot(module));
}

function fromRoot(module: string): string {
  return relative(root, module).replaceAll("\\", "/");
}

/** What the licences of the inlined packages ask to be passed on: their texts, and the notices at the heads of the files. */
async function noticesOf(files: string[]): Promise<string> {
  const notices = new Set<string>();
  for (const name of inlined) {
    const folder = join("node_modules", name);
    const { license } = await readManifest(join(root, folder));
    notices.add(`# ${name} (${license})`);
    notices.add(await readFile(join(root, folder, "LICENSE"), "utf8").catch(() => ""));
    for (const file of files.filter((path) => path.startsWith(`${folder}/`)).toSorted()) {
      const [head = ""] = /^(\/\/.*\n)+/.exec(await readFile(join(root, file), "utf8")) ?? [];
      notices.add(head.replaceAll(/^\/\/ ?/gm, ""));
    }
  }
  return [...notices].filter((notice) => notice !== "").join("\n\n");
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
