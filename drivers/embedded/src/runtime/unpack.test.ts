import { deepEqual, equal, rejects } from "node:assert/strict";
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { type Header, pack } from "tar-stream";
import { sourceLimits, unpackSource } from "./unpack.ts";

type Item = Partial<Header> & { readonly name: string; readonly text?: string };

const signal = new AbortController().signal;

async function* tar(items: readonly Item[]): AsyncGenerator<Uint8Array, void, undefined> {
  const archive = pack();
  for (const { text = "", ...header } of items) {
    if (header.type === undefined || header.type === "file") archive.entry(header, text);
    else archive.entry(header);
  }
  archive.finalize();
  for await (const chunk of archive) yield chunk as Uint8Array;
}

/** An archive whose header is changed by hand where the packer would not write it so. */
async function* patched(item: Item, patch: (header: Buffer) => void): AsyncGenerator<Uint8Array, void, undefined> {
  const bytes = Buffer.concat(await Array.fromAsync(tar([item])));
  const header = bytes.subarray(0, 512);
  patch(header);
  header.fill(" ", 148, 156);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  yield bytes;
}

async function inEmptyFolder(run: (dir: string, outer: string) => Promise<void>): Promise<void> {
  const outer = await mkdtemp(join(tmpdir(), "micro-unpack-"));
  try {
    await mkdir(join(outer, "dir"));
    await run(join(outer, "dir"), outer);
  } finally {
    await rm(outer, { recursive: true, force: true });
  }
}

const file = (name: string, text = "x"): Item => ({ name, text });
const good = file("index.ts", "export {};");

/** What is wrong with an archive → its entries. A good file comes first each time: not even that may be written. */
const nasty: Readonly<Record<string, readonly Item[]>> = {
  "a parent folder": [file("../escaped.txt")],
  "a parent folder twice": [file("../../escaped.txt")],
  "a parent folder in the middle": [file("a/../../escaped.txt")],
  "a parent folder that stays inside": [file("a/../b.txt")],
  "a parent folder at the end": [{ name: "a/..", type: "directory" }],
  "only a parent folder": [{ name: "..", type: "directory" }],
  "a parent folder behind a dot": [file("./../escaped.txt")],
  "a parent folder behind slashes": [file("a//../../escaped.txt")],
  "a parent folder with backslashes": [file("..\\escaped.txt")],
  "an absolute path": [file("/tmp/escaped.txt")],
  "an absolute path with two slashes": [file("//tmp/escaped.txt")],
  "an absolute folder": [{ name: "/", type: "directory" }],
  "a Windows drive": [file("C:/escaped.txt")],
  "a Windows drive with backslashes": [file("c:\\escaped.txt")],
  "a Windows share": [file("\\\\host\\share")],
  "a symbolic link to outside": [{ name: "link", type: "symlink", linkname: "/etc" }],
  "a file through a symbolic link": [{ name: "link", type: "symlink", linkname: ".." }, file("link/escaped.txt")],
  "a symbolic link to inside": [{ name: "link", type: "symlink", linkname: "index.ts" }],
  "a symbolic link with a folder's name": [{ name: "link/", type: "symlink", linkname: "/etc" }],
  "a hard link to outside": [{ name: "passwd", type: "link", linkname: "/etc/passwd" }],
  "a hard link to inside": [{ name: "again.ts", type: "link", linkname: "index.ts" }],
  "a character device": [{ name: "null", type: "character-device", devmajor: 1, devminor: 3 }],
  "a block device": [{ name: "disk", type: "block-device", devmajor: 8, devminor: 0 }],
  "a named pipe": [{ name: "pipe", type: "fifo" }],
  "the same file twice": [file("a.txt"), file("a.txt", "y")],
  "the same file twice, once with a dot": [file("a.txt"), file("./a.txt", "y")],
  "the same file twice, once with slashes": [file("a/b.txt"), file("a//b.txt", "y")],
  "the first file again": [file("index.ts", "evil")],
  "names that differ in case": [file("readme.md"), file("README.md")],
  "folders that differ in case": [file("Src/a.ts"), file("src/b.ts")],
  "names that differ in Unicode form": [file("caf\u00e9.ts"), file("cafe\u0301.ts")],
  "names that are the same in compatibility form": [file("file.ts"), file("\ufb01le.ts")],
  "a file as folder": [file("a"), file("a/b.txt")],
  "a folder as file": [{ name: "a", type: "directory" }, file("a")],
  "a folder made by a file, as file": [file("a/b.txt"), file("a")],
  "a NUL in a long name": [file(`${"a".repeat(120)}\0.txt`)],
  "a newline": [file("a\nb.ts")],
  "an escape sequence": [file("a\u001b[2Jb.ts")],
  "a name of 256 bytes": [file("n".repeat(256))],
  "a name of 300 bytes in a folder": [file(`a/${"n".repeat(300)}/b.ts`)],
  "a path of 1025 bytes": [file(`${"abcdefghi/".repeat(102)}abcdef`)],
  "a path that is nested too deep": [file(`${"a/".repeat(65)}b.ts`)],
  "a file without a name of its own": [file("./")],
  "more entries than allowed": Array.from({ length: sourceLimits.entries }, (_, index) => file(`f${index}`, "")),
};

describe("unpack", () => {
  it("writes files and folders, whatever owners and modes they have", async () => {
    await inEmptyFolder(async (dir) => {
      const items: Item[] = [
        { name: "./", type: "directory" },
        { name: "./src/", type: "directory", mode: 0o777 },
        { name: "./src/", type: "directory" },
        { ...file("./src/index.ts", "export {};"), mode: 0o4755, uid: 0 },
        file(`deep/${"long-name-".repeat(20)}.txt`, "long"),
        file("empty.txt", ""),
      ];
      await unpackSource(async () => tar(items), dir, signal);
      equal(await readFile(join(dir, "src/index.ts"), "utf8"), "export {};");
      equal((await stat(join(dir, "src/index.ts"))).mode & 0o7777, 0o600);
      equal((await stat(join(dir, "src"))).mode & 0o7777, 0o700);
      equal((await readdir(join(dir, "deep")))[0]?.length, 204);
      equal((await stat(join(dir, "empty.txt"))).size, 0);
    });
  });

  for (const [what, items] of Object.entries(nasty)) {
    it(`refuses ${what}, and writes nothing at all (RT-07)`, async () => {
      await inEmptyFolder(async (dir, outer) => {
        await rejects(
          unpackSource(async () => tar([good, ...items]), dir, signal),
          { code: 400, message: /Nothing was unpacked/ },
        );
        deepEqual(await readdir(outer, { recursive: true }), ["dir"]);
      });
    });
  }

  const byHand: Readonly<Record<string, () => AsyncIterable<Uint8Array>>> = {
    "a sparse file": () => patched(good, (header) => header.write("S", 156, "latin1")),
    "an unknown kind of entry": () => patched(good, (header) => header.write("Z", 156, "latin1")),
    "a name that is not UTF-8": () => patched(good, (header) => header.set([0xff, 0xfe, 0xff], 0)),
    "an empty name": () => patched(good, (header) => header.fill(0, 0, 100)),
    "a file of 65 MiB": () =>
      patched(good, (header) => header.write(`${(65 * 2 ** 20).toString(8).padStart(11, "0")}\0`, 124, "latin1")),
    "a size of 10 GB": () =>
      patched(good, (header) => header.write(`${(10 * 2 ** 30).toString(8).padStart(11, "0")}\0`, 124, "latin1")),
    "a negative size": () => patched(good, (header) => header.write("-0000000001\0", 124, "latin1")),
    "a wrong checksum": async function* () {
      const bytes = Buffer.concat(await Array.fromAsync(tar([good])));
      yield bytes.fill(0x41, 0, 3);
    },
    "an archive that breaks off": async function* () {
      yield Buffer.concat(await Array.fromAsync(tar([file("big.txt", "y".repeat(5000))]))).subarray(0, 2000);
    },
    "something else": async function* () {
      yield Buffer.alloc(4096, "not a tar at all ");
    },
    "a gzipped archive": async function* () {
      yield Buffer.concat([Buffer.from([0x1f, 0x8b, 8, 0]), Buffer.alloc(2048, 7)]);
    },
  };
  for (const [what, chunks] of Object.entries(byHand)) {
    it(`refuses ${what}, and writes nothing at all (RT-07)`, async () => {
      await inEmptyFolder(async (dir, outer) => {
        await rejects(
          unpackSource(async () => chunks(), dir, signal),
          { code: 400, message: /Nothing was unpacked/ },
        );
        deepEqual(await readdir(outer, { recursive: true }), ["dir"]);
      });
    });
  }

  it("refuses more than 512 MiB in all before it writes the first byte (RT-07)", async () => {
    const block = Buffer.alloc(1024 * 1024);
    const big = async function* () {
      for (let index = 0; index < 9; index++) {
        const [head] = await Array.fromAsync(
          patched(file(`f${index}`, ""), (header) =>
            header.write(`${(60 * 2 ** 20).toString(8).padStart(11, "0")}\0`, 124, "latin1"),
          ),
        );
        yield head?.subarray(0, 512) ?? block;
        for (let mib = 0; mib < 60; mib++) yield block;
      }
    };
    await inEmptyFolder(async (dir) => {
      await rejects(
        unpackSource(async () => big(), dir, signal),
        { code: 400, message: /512 MiB/ },
      );
      deepEqual(await readdir(dir), []);
    });
  });

  it("stops when the signal aborts", async () => {
    const abort = new AbortController();
    const endless = async function* () {
      yield* tar([good]);
      abort.abort(new Error("enough"));
      for (;;) yield Buffer.alloc(512);
    };
    await inEmptyFolder((dir) =>
      rejects(
        unpackSource(async () => endless(), dir, abort.signal),
        /enough/,
      ),
    );
  });

  it("tells a full disk or a missing folder from a bad archive", async () => {
    await inEmptyFolder(async (dir) => {
      await writeFile(join(dir, "file"), "");
      await rejects(
        unpackSource(async () => tar([good]), join(dir, "file"), signal),
        { code: "EEXIST" },
      );
    });
  });
});
