import { main } from "./run-command.ts";

// EPIPE: whoever read our output has left (`micro logs x | head`), which is no error.
process.stdout.on("error", () => process.exit(0));
process.stderr.on("error", () => {});

const stopped = new AbortController();
// A launcher and a terminal may both pass on one and the same Ctrl-C.
const sameSignalMs = 300;
let stoppedAt = 0;
for (const signal of ["SIGINT", "SIGTERM", "SIGQUIT"] as const) {
  process.on(signal, () => {
    if (stopped.signal.aborted && performance.now() - stoppedAt > sameSignalMs) process.exit(130);
    if (stopped.signal.aborted) return;
    stoppedAt = performance.now();
    stopped.abort();
  });
}

// A command ends when it says so, not when nothing but idle connections and workers is left of it.
const longestMs = 2 ** 31 - 1;
const running = setInterval(() => {}, longestMs);
process.exitCode = await main(process.argv.slice(2), {
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
  env: process.env,
  folder: process.cwd(),
  signal: stopped.signal,
});
clearInterval(running);
