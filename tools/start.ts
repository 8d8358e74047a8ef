// `npm start`: boots the server, runs examples/helloworld from source, calls it once, and stays up until Ctrl-C.
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { lineLog, MicroError } from "@microts/core";
import { type Platform, parseSettings, startPlatform } from "@microts/platform";

const root = fileURLToPath(new URL("..", import.meta.url));
const path = "/helloworld/call?name=Jane";

const stopping = new AbortController();
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, stop);

/** The first signal stops in order, the second at once. */
function stop(): void {
  if (stopping.signal.aborted) process.exit(130);
  stopping.abort();
}

try {
  await start();
} catch (error) {
  process.stderr.write(`npm start: ${MicroError.from(error, "start").detail}\n`);
  process.exitCode = 1;
}

async function start(): Promise<void> {
  const settings = parseSettings({ MICRO_LOG_LEVEL: "warn", ...process.env });
  const log = lineLog((line) => process.stderr.write(line), settings.logLevel);
  await using platform = await startPlatform(settings, log);
  if (stopping.signal.aborted) return;
  const { addresses } = platform;
  await micro(["run", "--force", "examples/helloworld"], addresses.proxy);
  if (stopping.signal.aborted) return;
  const url = `http://${addresses.api}${path}`;
  const answer = await (await fetch(url)).text();
  process.stdout.write(banner(platform, url, answer));
  await stopped();
  process.stdout.write("\nStopping…\n");
}

/** Runs a command of the command line against the server that was just started. */
async function micro(args: readonly string[], proxy: string): Promise<void> {
  const child = spawn(process.execPath, ["cli/bin/micro.js", ...args], {
    cwd: root,
    env: { ...process.env, MICRO_PROXY: proxy },
    stdio: ["ignore", "ignore", "pipe"],
  });
  let complaint = "";
  child.stderr.on("data", (chunk: Buffer) => {
    complaint += chunk.toString();
  });
  const code = await new Promise<number | null>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", resolve);
  });
  if (code !== 0 && !stopping.signal.aborted) {
    throw MicroError.internal("start", `micro ${args.join(" ")} failed with exit code ${code}: ${complaint.trim()}`);
  }
}

function banner({ addresses, adminPasswordFile }: Platform, url: string, answer: string): string {
  return `
Micro is running, and so is the service examples/helloworld.

  Gateway     http://${addresses.api}
  Dashboard   http://${addresses.web}   sign in as admin, password in ${adminPasswordFile}
  gRPC proxy  ${addresses.proxy}

  The first call:  GET ${path}
  ${answer.trim()}

Try it yourself, in a second terminal:

  curl '${url}'
  npx micro helloworld --name=Jane
  npx micro status

Ctrl-C stops everything.
`;
}

function stopped(): Promise<void> {
  return new Promise((resolve) => {
    if (stopping.signal.aborted) resolve();
    else stopping.signal.addEventListener("abort", () => resolve());
    // Something to wait for: listening sockets alone would do, but only while there are any.
    const alive = setInterval(() => {}, 60_000);
    stopping.signal.addEventListener("abort", () => clearInterval(alive));
  });
}
