import { deepEqual, equal, match } from "node:assert/strict";
import { spawn } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { lstat, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { type Platform, parseSettings, startPlatform } from "@microts/platform";
import { Child } from "../../../../testing/src/child.ts";
import { type CommandLine, commandLine } from "../../../../testing/src/command-line.ts";
import { until } from "../../../../testing/src/until.ts";

const binary = fileURLToPath(new URL("../../../bin/micro.js", import.meta.url));

describe("micro store blob", { timeout: 280_000 }, () => {
  let platform: Platform;
  let home: string;
  let address: string;
  let micro: CommandLine;
  let folder: string;
  const content = randomBytes(700_000);
  before(async () => {
    home = await mkdtemp(join(tmpdir(), "micro-blob-home-"));
    const names = ["API", "PROXY", "WEB", "NETWORK"].map((name) => [`MICRO_${name}_ADDRESS`, "127.0.0.1:0"]);
    platform = await startPlatform(parseSettings({ ...Object.fromEntries(names), MICRO_HOME: home }));
    address = platform.addresses.proxy;
    micro = commandLine({ home, address });
    folder = await mkdtemp(join(tmpdir(), "micro-blob-command-"));
    await writeFile(join(folder, "content"), content);
  });
  after(async () => {
    await platform?.[Symbol.asyncDispose]();
    for (const path of [home, folder]) await rm(path, { recursive: true, force: true });
  });

  const says = async (...args: string[]) => {
    const { code, stdout, stderr } = await micro.run(["store", "blob", ...args]);
    equal(code, 0, stderr);
    return stdout;
  };
  const fails = async (args: readonly string[], text: RegExp) => {
    const { code, stdout, stderr } = await micro.run(["store", "blob", ...args]);
    equal(code, 1, stderr);
    equal(stdout, "");
    match(stderr, text);
  };
  const environment = (as: string) => ({
    PATH: process.env["PATH"] ?? "",
    HOME: as,
    MICRO_HOME: as,
    MICRO_PROXY: address,
  });
  /** `micro` stands for the command in a line of the shell. */
  const shell = (line: string, as = home) => {
    const env = environment(as);
    const words = `micro() { "${process.execPath}" "${binary}" "$@"; }; ${line}`;
    return new Child("/bin/sh", ["-c", words], { cwd: folder, env, isProgram: true });
  };

  it("writes a file and reads it back: whole, in part, into a file and through pipes", async () => {
    const type = ["--content_type", "image/png", "--public"];
    equal(await says("write", "pictures/1", join(folder, "content"), ...type), "700000 bytes in pictures/1\n");
    const file = join(folder, "copy");
    equal(await says("read", "pictures/1", file), `700000 bytes in ${file}\n`);
    deepEqual(await readFile(file), content);
    const part = ["read", "pictures/1", file, "--offset", "299990", "--length", "20", "--output", "json"];
    deepEqual(JSON.parse(await says(...part)), { file, size: 20 });
    deepEqual(await readFile(file), content.subarray(299_990, 300_010));
    await says("read", "pictures/1", file, "--offset", "800000");
    equal((await readFile(file)).byteLength, 0);
    const piped = shell(
      "micro store blob read pictures/1 | micro store blob write pictures/2 && micro store blob read pictures/2 > piped",
    );
    equal((await piped.within(30_000)).code, 0);
    deepEqual(await readFile(join(folder, "piped")), content);
    const { written, ...info } = JSON.parse(await says("stat", "pictures/1", "--output", "json"));
    const sha256 = createHash("sha256").update(content).digest("hex");
    deepEqual(info, { key: "pictures/1", size: 700_000, content_type: "image/png", public: true, sha256 });
    match(
      await says("stat", "pictures/2"),
      /^key +pictures\/2\nsize +700000\ncontent_type\npublic +false\nwritten +20/,
    );
    match(await says("list", "pictures/", "--verbose"), /^KEY .*\npictures\/1 +700000 +image\/png +true +20.*\n.*\n$/);
    await micro.run(["store", "blob", "write", "empty"]);
    equal(await says("read", "empty"), "");
    equal(await says("list"), "empty\npictures/1\npictures/2\n");
    // What is no file stays what it is: a link, and a device even for root.
    await symlink(file, join(folder, "link"));
    await says("read", "pictures/1", join(folder, "link"));
    deepEqual(await readFile(file), content);
    equal((await lstat(join(folder, "link"))).isSymbolicLink(), true);
    await rm(join(folder, "link"));
    equal(await says("read", "pictures/1", "/dev/null"), "700000 bytes in /dev/null\n");
    equal((await stat("/dev/null")).isCharacterDevice(), true);
    await says("delete", "pictures/2");
    await says("delete", "pictures/2");
    deepEqual(JSON.parse(await says("list", "pictures/", "--output", "json")), ["pictures/1"]);
  });

  it("shows how far it is on a terminal, and nothing else among the bytes", async () => {
    const { code, stdout } = await shell(
      `script -qc '"${process.execPath}" "${binary}" store blob write shown content' /dev/null`,
    ).within(30_000);
    equal(code, 0);
    match(stdout, /\[#*-*\] [\d,]+ of 700,000 bytes *\r[\s\S]*700000 bytes in shown/);
  });

  it("leaves what was there when an upload is stopped by Ctrl-C, here and on the server (ST-08)", async () => {
    await says("write", "kept", join(folder, "content"));
    const files = async () => (await readdir(join(home, "server", "blobs"))).length;
    const before = await files();
    const upload = spawn(process.execPath, [binary, "store", "blob", "write", "kept"], { env: environment(home) });
    const ended = once(upload, "close");
    // It leaves before it has read all.
    upload.stdin.on("error", () => {}).write(content);
    await until(files, (count) => count > before);
    upload.kill("SIGINT");
    deepEqual(await ended, [130, null]);
    await says("read", "kept", join(folder, "kept"));
    deepEqual(await readFile(join(folder, "kept")), content);
    await until(files, (count) => count === before);
  });

  it("refuses with what is wrong and what to do, and leaves no file behind", async () => {
    const files = await readdir(folder);
    await fails(["read", "nope", join(folder, "nope")], /^Not found: the blob "nope" in namespace "micro"\n$/);
    await fails(["read", "nope"], /^Not found: the blob "nope"/);
    await fails(["stat", "nope"], /^Not found: the blob "nope"/);
    await fails(["write", "x", join(folder, "none")], /^can't read .*none: there is no such file\n$/);
    await fails(["write", "x", folder], /^can't read .*: it is a folder\n$/);
    await fails(["read", "pictures/1", join(folder, "no", "x")], /^can't write .*no\/x: there is no folder .*\/no\n$/);
    await fails(["read", "pictures/1", folder], /^can't write .*: it is a folder\n$/);
    await fails(["read", "pictures/1", "--length", "0"], /--length must be 1 or more/);
    await fails(["write", "", join(folder, "content")], /^The key is missing/);
    await fails(["write", "x", join(folder, "content"), "--content_type", "tëxt"], /^The content type has characters/);
    await fails(["raed"], /Unrecognized subcommand for micro store blob: raed\. Did you mean read\?/);
    deepEqual(await readdir(folder), files);
  });

  it("lets nobody without a login but readers of what is public in", async () => {
    const stranger = await mkdtemp(join(folder, "stranger-"));
    const tried = shell(
      "micro store blob read pictures/1 | wc -c; micro store blob read kept; micro store blob write x content",
      stranger,
    );
    const { stdout, stderr } = await tried.within(30_000);
    equal(stdout.trim(), "700000");
    match(
      stderr,
      /^(An account is required: store\.Blob\.\w+ was called without a token\. Sign in with: micro login\n){2}$/,
    );
  });
});
