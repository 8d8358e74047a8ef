import { chmod, lstat, stat, unlink } from "node:fs/promises";
import { connect, type Server } from "node:net";
import { dirname } from "node:path";
import { MicroError } from "../errors.ts";
import { formatAddress, parseAddress, unixPathOf } from "./address.ts";

const bindId = "go.micro.server";

/** Binds the server to `host:port` or a Unix socket. Resolves with the address as bound and the port, 0 for a Unix socket. */
export async function bind(server: Server, address: string, socketMode: number): Promise<[string, number]> {
  const path = unixPathOf(address);
  if (path !== undefined) {
    await bindUnix(server, address, path, socketMode);
    return [address, 0];
  }
  const { host, port } = parseAddress(address);
  await listening(server, { host, port });
  const at = server.address();
  const boundPort = typeof at === "object" && at !== null ? at.port : 0;
  return [formatAddress(host, boundPort), boundPort];
}

/** A socket file outlives a server that was killed: one that nobody answers on is replaced. */
async function bindUnix(server: Server, address: string, path: string, mode: number): Promise<void> {
  try {
    await listening(server, { path }).catch(async (error: NodeJS.ErrnoException) => {
      if (error.code !== "EADDRINUSE") throw error;
      await removeStale(address, path);
      await listening(server, { path });
    });
    await chmod(path, mode);
  } catch (error) {
    throw await unixFailure(address, path, error);
  }
}

async function removeStale(address: string, path: string): Promise<void> {
  if (!(await lstat(path)).isSocket())
    throw new MicroError(
      409,
      bindId,
      `can't listen on ${address}: there is a file that is no socket. Choose another path`,
    );
  if (await isAnswered(path))
    throw new MicroError(
      409,
      bindId,
      `can't listen on ${address}: another server does. Stop it, or choose another path`,
    );
  await unlink(path);
}

function isAnswered(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ path });
    const answered = (is: boolean) => () => {
      socket.destroy();
      resolve(is);
    };
    socket.once("connect", answered(true));
    socket.once("error", answered(false));
  });
}

/** What a path must be for a socket to be bound to it. */
async function unixFailure(address: string, path: string, error: unknown): Promise<unknown> {
  const { code } = error as NodeJS.ErrnoException;
  const folder = await stat(dirname(path)).catch(() => undefined);
  const reasons: Readonly<Record<string, string>> = {
    // What libuv makes of ENOENT, too.
    EACCES: folder ? "this user may not write to its folder. Choose another" : "its folder doesn't exist. Create it",
    // sun_path holds 108 bytes with the 0 at its end (unix(7)).
    EINVAL: `its path has ${Buffer.byteLength(path)} bytes, and a socket's has 107 at most. Choose a shorter one`,
  };
  const reason = code === undefined ? undefined : reasons[code];
  return reason === undefined ? error : MicroError.badRequest(bindId, `can't listen on ${address}: ${reason}`);
}

async function listening(server: Server, where: { host: string; port: number } | { path: string }): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(where, () => {
      server.off("error", reject);
      resolve();
    });
  });
}
