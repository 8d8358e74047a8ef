import { execFile } from "node:child_process";
import { mkdir, mkdtemp, open, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { until } from "../until.ts";
import type { Doomed } from "./rounds.ts";

const run = promisify(execFile);
/** FS_IOC_SHUTDOWN without flushing the journal: what was not synced is gone, as when the power is cut (ext4, xfs). */
const cut = `import fcntl, os, struct, sys
fcntl.ioctl(os.open(sys.argv[1], 0), 0x8004587D, struct.pack("I", 2))`;

/** An ext4 file system in a file, which can be filled, cut off and brought back. Needs root. */
export class LoopDisk implements AsyncDisposable {
  /** Where it is mounted. */
  readonly path: string;
  readonly #folder: string;
  #image: string;
  #copies = 0;

  private constructor(folder: string) {
    this.#folder = folder;
    this.#image = join(folder, "disk.img");
    this.path = join(folder, "mnt");
  }

  /** Why this machine can't have one; undefined when it can. */
  static async lacks(): Promise<string | undefined> {
    if (process.getuid?.() !== 0) return "needs root to mount a file system";
    for (const [program, option] of [
      ["mkfs.ext4", "-V"],
      ["losetup", "--version"],
      ["python3", "--version"],
    ] as const)
      if (
        await run(program, [option])
          .catch(() => true)
          .then((failed) => failed === true)
      )
        return `needs ${program}`;
    const tried = await LoopDisk.of(4).catch((error: Error) => error);
    if (tried instanceof Error) return `can't mount a file: ${tried.message}`;
    await tried[Symbol.asyncDispose]();
    return undefined;
  }

  /** Empty, of so many MiB. */
  static async of(mebibytes: number): Promise<LoopDisk> {
    const disk = new LoopDisk(await mkdtemp(join(tmpdir(), "micro-disk-")));
    try {
      const image = await open(disk.#image, "w");
      await image.truncate(mebibytes * 1024 * 1024);
      await image.close();
      await run("mkfs.ext4", ["-q", "-F", "-m", "0", disk.#image]);
      await mkdir(disk.path);
      await run("mount", ["-o", "loop", disk.#image, disk.path]);
      return disk;
    } catch (error) {
      await rm(disk.#folder, { recursive: true, force: true });
      throw error;
    }
  }

  /** From here on nothing gets to the disk, and nothing can be read: input and output fail. */
  async cutPower(): Promise<void> {
    await run("python3", ["-c", cut, this.path]);
  }

  /**
   * Cuts the power under a program and brings the disk back. The program is paused meanwhile, as a machine without power would be: a sync that is under
   * way in that moment may tell it that all is well.
   */
  async failUnder({ pause, kill }: Doomed): Promise<void> {
    await pause();
    await this.cutPower();
    await kill();
    await this.restore();
  }

  /** Brings it back as a machine does that starts again: what holds it has to be dead, or dying. */
  async restore(): Promise<void> {
    const unmounted = () => run("umount", [this.path]).then(() => "gone", messageOf);
    await until(unmounted, (outcome) => outcome === "gone");
    await run("mount", ["-o", "loop", this.#image, this.path]);
    if (await this.#isAlive()) return;
    // A process with mounts of its own, as a sandbox has, holds the one that was cut off, and got it mounted again. What the disk has is in the file.
    await run("umount", [this.path]);
    const copy = join(this.#folder, `disk-${this.#copies++}.img`);
    await run("cp", ["--sparse=always", this.#image, copy]);
    await rm(this.#image);
    this.#image = copy;
    await run("mount", ["-o", "loop", this.#image, this.path]);
  }

  async #isAlive(): Promise<boolean> {
    const probe = join(this.path, "mounted");
    const failed = await writeFile(probe, "").then(() => undefined, messageOf);
    if (failed === undefined) await rm(probe);
    return failed === undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await run("umount", [this.path]);
    await rm(this.#folder, { recursive: true });
  }
}

function messageOf({ message }: Error): string {
  return message;
}
