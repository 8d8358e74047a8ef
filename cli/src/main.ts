import { main } from "./run-command.ts";

// EPIPE: whoever read our output has left (`micro logs x | head`), which is no error.
process.stdout.on("error", () => process.exit(0));
process.stderr.on("error", () => {});

const stopped = new AbortController();
for (const signal of ["SIGINT", "SIGTERM", "SIGQUIT"] as const) {
  process.on(signal, () => {
    if (stopped.signal.aborted) process.exit(130);
    stopped.abort();
  });
}

process.exitCode = await main(process.argv.slice(2), {
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
  env: process.env,
  folder: process.cwd(),
  signal: stopped.signal,
});
// A stream that is still open, such as a prompt's standard input, must not keep the process.
process.stdin.unref?.();
