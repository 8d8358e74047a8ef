import assert from "node:assert/strict";
import { chmod, mkdir, mkdtemp, realpath, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { MicroError } from "@microts/core";
import { extract } from "tar-stream";
import { archive } from "./archive.ts";
import { checkSize, type PackedFile } from "./files.ts";
import { findProject } from "./project.ts";
import { nameInSource } from "./service-name.ts";
import { packProject } from "./upload.ts";

let root = "";
beforeEach(async () => {
  root = await realpath(await mkdtemp(join(tmpdir(), "micro-pack-")));
});
afterEach(() => rm(root, { recursive: true, force: true }));

async function write(files: Readonly<Record<string, string>>): Promise<void> {
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(root, name)), { recursive: true });
    await writeFile(join(root, name), text);
  }
}

async function packedNames(source: string): Promise<string[]> {
  const { files } = await packProject(await findProject(source, root, undefined));
  return files.map(({ name }) => name);
}

describe("findProject", () => {
  it("takes the nearest folder with a package.json for the root", async () => {
    await write({ "app/package.json": "{}", "app/services/posts/index.ts": "" });
    const project = await findProject("app/services/posts", root, undefined);
    assert.deepEqual([project.root, project.entrypoint, project.name], [join(root, "app"), "services/posts", "posts"]);
  });
  it("doesn't look past the root of a git repository", async () => {
    await write({ "package.json": "{}", "repo/.git/HEAD": "", "repo/svc/index.ts": "" });
    const project = await findProject("repo/svc", root, undefined);
    assert.deepEqual([project.root, project.entrypoint], [join(root, "repo/svc"), ""]);
  });
  it("doesn't take the user's home for a project", async () => {
    await write({ "package.json": "{}", "svc/index.ts": "" });
    assert.equal((await findProject("svc", root, root)).root, join(root, "svc"));
  });
  it("names a folder given as . after itself", async () => {
    await write({ "hello/index.ts": "" });
    assert.equal((await findProject(".", join(root, "hello"), undefined)).name, "hello");
  });
  it("names a file after the service in it", async () => {
    await write({ "hello.ts": 'export default service("greeter", {});', "plain.ts": "" });
    assert.equal((await findProject("hello.ts", root, undefined)).name, "greeter");
    assert.equal((await findProject("plain.ts", root, undefined)).name, "plain");
  });
  const refused: readonly [string, RegExp][] = [
    ["nope", /no file or folder nope/],
    ["github.com/micro/services/helloworld", /not yet sources from git/],
    ["https://github.com/micro/services", /not yet sources from git/],
    ["notes.txt", /not a TypeScript or JavaScript file/],
  ];
  for (const [source, message] of refused) {
    it(`refuses ${source}`, async () => {
      await write({ "notes.txt": "" });
      await assert.rejects(
        findProject(source, root, undefined),
        (error) => error instanceof MicroError && message.test(error.detail),
      );
    });
  }
});

describe("nameInSource", () => {
  const texts: readonly [string, string | undefined][] = [
    ['service("hello", {})', "hello"],
    ["export default service('a-b.c', {})", "a-b.c"],
    ["service(\n  `x`,\n {})", "x"],
    ['// service("no")\nservice("yes")', "yes"],
    ['/* service("no") */ service("yes")', "yes"],
    ['myservice("no")', undefined],
    ['this.service("no")', undefined],
    ["service(name)", undefined],
    ['service("")', undefined],
  ];
  for (const [text, name] of texts)
    it(`finds ${name} in ${JSON.stringify(text)}`, () => assert.equal(nameInSource(text), name));
});

describe("packing a folder", () => {
  it("leaves out packages, repositories, secrets and what is ignored", async () => {
    await write({
      "package.json": "{}",
      "index.ts": "",
      ".env": "SECRET=1",
      ".env.local": "SECRET=1",
      "node_modules/x/index.js": "",
      "sub/node_modules/y.js": "",
      ".git/HEAD": "",
      "dist/index.js": "",
      "a.log": "",
      ".gitignore": "dist/\n*.log\n!keep.log\n",
      "keep.log": "",
      "sub/.microignore": "*.tmp\n",
      "sub/a.tmp": "",
      "sub/b.ts": "",
      "b.tmp": "",
    });
    assert.deepEqual(await packedNames("."), [
      ".gitignore",
      "b.tmp",
      "index.ts",
      "keep.log",
      "package.json",
      "sub/.microignore",
      "sub/b.ts",
    ]);
  });
  it("keeps dist when nothing says otherwise", async () => {
    await write({ "package.json": "{}", "dist/index.js": "" });
    assert.deepEqual(await packedNames("."), ["dist/index.js", "package.json"]);
  });
  it("heeds ignore files up to the repository's root", async () => {
    await write({
      ".git/HEAD": "",
      ".gitignore": "generated\n",
      "svc/package.json": "{}",
      "svc/generated/x": "",
      "svc/index.ts": "",
    });
    assert.deepEqual(await packedNames("svc"), ["index.ts", "package.json"]);
  });
  it("lets a nearer ignore file take a file back", async () => {
    await write({
      "package.json": "{}",
      ".gitignore": "*.json\n!package.json\n",
      "data/.microignore": "!keep.json\n",
      "data/keep.json": "",
      "data/drop.json": "",
    });
    assert.deepEqual(await packedNames("."), [".gitignore", "data/.microignore", "data/keep.json", "package.json"]);
  });
  it("packs what links to files inside lead to, and leaves other links out", async () => {
    await write({ "svc/package.json": "{}", "svc/a.ts": "", "secret.txt": "" });
    await symlink("a.ts", join(root, "svc/link.ts"));
    await symlink("../secret.txt", join(root, "svc/secret.ts"));
    const { files, skippedLinks } = await packProject(await findProject("svc", root, undefined));
    assert.deepEqual(
      files.map(({ name }) => name),
      ["a.ts", "link.ts", "package.json"],
    );
    assert.deepEqual(skippedLinks, ["secret.ts"]);
  });
  it("refuses an empty folder", async () => {
    await mkdir(join(root, "empty"));
    await assert.rejects(packedNames("empty"), /has no files to run/);
  });
  it("names the largest files when they are too much", () => {
    const file = (name: string, bytes: number): PackedFile => ({ name, path: name, bytes, mode: 0o644, modifiedMs: 0 });
    const files = [file("small", 10), file("video.mp4", 3_000_000), file("b", 1_500_000)];
    assert.throws(
      () => checkSize(files, 1024 * 1024),
      (error) =>
        error instanceof MicroError &&
        error.code === 413 &&
        /4\.3 MiB, more than the 1\.0 MiB.*video\.mp4 \(2\.9 MiB\), b/.test(error.detail),
    );
    checkSize(files, 5_000_000);
  });
});

describe("packing a file", () => {
  it("takes what it imports by relative path, and the manifest beside it", async () => {
    await write({
      "src/hello.ts": 'import "./lib/a.ts"; import { z } from "zod"; console.log(z);',
      "src/lib/a.ts": 'import data from "../data.json"; console.log(data);',
      "src/data.json": "{}",
      "src/other.ts": "",
      "src/package.json": "{}",
    });
    const { files, project } = await packProject(await findProject("src/hello.ts", root, undefined));
    assert.deepEqual(
      files.map(({ name }) => name),
      ["data.json", "hello.ts", "lib/a.ts", "package.json"],
    );
    assert.equal(project.entrypoint, "hello.ts");
  });
  it("moves the root up to hold imports from above", async () => {
    await write({ "a/hello.ts": 'import "../b/x.ts";', "b/x.ts": "" });
    const { files, project } = await packProject(await findProject("a/hello.ts", root, undefined));
    assert.deepEqual(
      files.map(({ name }) => name),
      ["a/hello.ts", "b/x.ts"],
    );
    assert.equal(project.entrypoint, "a/hello.ts");
  });
  it("shows the compiler's lines", async () => {
    await write({ "bad.ts": "export const a = 1;\nexport const x: number = ;\n" });
    await assert.rejects(
      packedNames("bad.ts"),
      (error) =>
        error instanceof MicroError && /bad\.ts:2:25/.test(error.detail) && /export const x/.test(error.detail),
    );
  });
});

describe("archive", () => {
  it("holds every file with its content and mode, in pieces of the size given", async () => {
    const long = `${"deep/".repeat(30)}file.ts`;
    await write({
      "package.json": "{}",
      "empty.ts": "",
      "big.bin": "x".repeat(200_000),
      "run.sh": "#!/bin/sh\n",
      [long]: "long",
    });
    await chmod(join(root, "run.sh"), 0o755);
    const { files } = await packProject(await findProject(".", root, undefined));
    const chunks: Uint8Array[] = [];
    for await (const chunk of archive(files)) chunks.push(chunk);
    assert.ok(chunks.slice(0, -1).every(({ length }) => length === 65_536));
    const read = extract();
    read.end(Buffer.concat(chunks));
    const found: Record<string, string> = {};
    for await (const entry of read) {
      let text = "";
      for await (const piece of entry) text += piece;
      found[entry.header.name] = `${(entry.header.mode ?? 0).toString(8)} ${text.length}`;
    }
    assert.deepEqual(found, {
      "big.bin": "644 200000",
      [long]: "644 4",
      "empty.ts": "644 0",
      "package.json": "644 2",
      "run.sh": "755 10",
    });
  });
  it("says which file can't be read", async () => {
    await write({ "package.json": "{}" });
    const { files } = await packProject(await findProject(".", root, undefined));
    await rm(join(root, "package.json"));
    await assert.rejects(async () => {
      for await (const _ of archive(files));
    }, /cannot read .*package\.json/);
  });
});
