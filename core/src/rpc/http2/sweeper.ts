/** Something that looks once a second for what took too long. */
interface Swept {
  onSweep(nowMs: number): void;
}

const swept = new Set<Swept>();
let timer: NodeJS.Timeout | undefined;
const everyMs = 1000;
/** A sweep that comes so much later than it should finds out about this process, not about its peers: what they sent hasn't been read. */
const lateMs = 2000;
let dueMs = 0;

/** Calls `onSweep` about once a second from now on. One timer serves all connections, and none keeps the process alive. */
export function sweep(target: Swept): void {
  swept.add(target);
  if (timer !== undefined) return;
  dueMs = Date.now() + everyMs;
  timer = setInterval(onTimer, everyMs).unref();
}

function onTimer(): void {
  const now = Date.now();
  const isLate = now - dueMs > lateMs;
  dueMs = now + everyMs;
  if (!isLate) for (const each of swept) each.onSweep(now);
}

export function unsweep(target: Swept): void {
  swept.delete(target);
  if (swept.size > 0) return;
  clearInterval(timer);
  timer = undefined;
}
