// Loaded into every test process: ends one whose tests are over but which something left open keeps alive.
import { isMainThread } from "node:worker_threads";

const graceMs = 10_000;

// Worker threads and forked programs inherit the option that loads this file; they hold no tests of their own.
if (isMainThread && process.argv[1]?.endsWith(".test.ts")) {
  const { after } = await import("node:test");
  after(() => {
    setTimeout(end, graceMs).unref();
  });
}

function end(): void {
  const open = [...new Set(process.getActiveResourcesInfo())].join(", ");
  console.error(`${process.argv[1]}: the tests are over, but something they opened is not closed (${open}).`);
  process.exit(1);
}
