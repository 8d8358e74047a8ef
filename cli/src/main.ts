import { main } from "./run-command.ts";

process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  // Whoever read our output has left (`micro logs x | head`), which is no error.
  if (error.code === "EPIPE") process.exit(0);
  process.stderr.write(`can't write to standard output: ${error.message}\n`, () => process.exit(1));
});
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

const { stdout, stderr } = process;
const around = {
  // Opened when it is asked for: that takes as long as all that a short command does itself.
  get stdin() {
    return process.stdin;
  },
  ...{ stdout, stderr, env: process.env, folder: process.cwd(), signal: stopped.signal },
};
// A command ends when it says so, not when nothing but idle connections and workers is left of it.
setInterval(() => {}, 2 ** 31 - 1);
// No top-level await: in the packed command, what is loaded later shares a file with this module, and would wait for it to end.
void main(process.argv.slice(2), around).then(exit);

async function exit(code: number): Promise<void> {
  for (const stream of [stdout, stderr]) {
    // Called when all before it is written; an error of standard output has its own way out.
    const error = await new Promise((resolve) => stream.write("", resolve));
    if (error && stream === stdout && stdout.errored) return;
  }
  process.exit(code);
}
