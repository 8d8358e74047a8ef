import { readdir, readFile, readlink } from "node:fs/promises";
import { MicroError } from "@microts/core";
import { parseAddress } from "@microts/core/rpc";

/** Turns a failure to bind into an error that says which address, what for, who holds it, and the setting that changes it. */
export async function explainBind(error: unknown, address: string, what: string, setting: string): Promise<MicroError> {
  const cause = error instanceof MicroError ? error.cause : error;
  const { code, message } = cause as NodeJS.ErrnoException;
  if (code !== "EADDRINUSE") {
    return new MicroError(
      400,
      "server",
      `the ${what} can't listen on ${address}: ${message}. Choose another address with ${setting}`,
      { cause: error },
    );
  }
  const { port } = parseAddress(address);
  const owner = await portOwner(port);
  const who = owner === undefined ? "another process" : `process ${owner.pid} (${owner.command})`;
  return new MicroError(
    409,
    "server",
    `the ${what} can't listen on ${address}: ${who} holds the port. Stop it, or choose another address with ${setting}`,
    {
      cause: error,
    },
  );
}

/** The process that listens on a TCP port, as far as this user may see it; undefined elsewhere than on Linux. */
async function portOwner(port: number): Promise<{ pid: number; command: string } | undefined> {
  const inodes = new Set<string>();
  for (const table of ["/proc/net/tcp", "/proc/net/tcp6"]) {
    const text = await readFile(table, "utf8").catch(() => "");
    for (const line of text.split("\n").slice(1)) {
      const fields = line.trim().split(/\s+/);
      const [, local = "", , state, , , , , , inode] = fields;
      if (state === "0A" && Number.parseInt(local.split(":")[1] ?? "", 16) === port && inode)
        inodes.add(`socket:[${inode}]`);
    }
  }
  if (inodes.size === 0) return undefined;
  for (const pid of await readdir("/proc").catch(() => [])) {
    if (!/^\d+$/.test(pid)) continue;
    for (const fd of await readdir(`/proc/${pid}/fd`).catch(() => [])) {
      const target = await readlink(`/proc/${pid}/fd/${fd}`).catch(() => "");
      if (inodes.has(target)) return { pid: Number(pid), command: await commandOf(pid) };
    }
  }
  return undefined;
}

async function commandOf(pid: string): Promise<string> {
  const text = await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "");
  return text.replaceAll("\0", " ").trim().slice(0, 120) || "unknown";
}
