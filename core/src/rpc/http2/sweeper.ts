/** Something that looks once a second for what took too long. */
interface Swept {
  onSweep(nowMs: number): void;
}

const swept = new Set<Swept>();
let timer: NodeJS.Timeout | undefined;
const everyMs = 1000;

/** Calls `onSweep` about once a second from now on. One timer serves all connections, and none keeps the process alive. */
export function sweep(target: Swept): void {
  swept.add(target);
  timer ??= setInterval(() => {
    const now = Date.now();
    for (const each of swept) each.onSweep(now);
  }, everyMs).unref();
}

export function unsweep(target: Swept): void {
  swept.delete(target);
  if (swept.size > 0) return;
  clearInterval(timer);
  timer = undefined;
}
