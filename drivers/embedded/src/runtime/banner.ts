/** Tells a process which file descriptor closes when the server is gone. */
export const guardVariable = "MICRO_SERVER_FD";

/**
 * What every bundle begins with. It gives bundled CommonJS modules what they expect, and ends the process with all of its group when the server
 * is gone, however that came about: listeners for SIGTERM have a second. Processes and workers that the service starts don't watch again.
 */
export const banner = `
import { createRequire as microCreateRequire } from "node:module";
import { Socket as MicroSocket } from "node:net";
globalThis.require ??= microCreateRequire(import.meta.url);
globalThis.__filename ??= import.meta.filename;
globalThis.__dirname ??= import.meta.dirname;
if (process.env.${guardVariable}) {
  const server = new MicroSocket({ fd: Number(process.env.${guardVariable}), readable: true, writable: false });
  delete process.env.${guardVariable};
  const end = () => process.kill(-process.pid, "SIGKILL");
  const gone = () => {
    process.on("exit", end);
    if (process.emit("SIGTERM", "SIGTERM")) setTimeout(end, 1000);
    else end();
  };
  server.on("error", () => {}).on("close", gone).resume().unref();
}
`.replaceAll("\n", " ");
