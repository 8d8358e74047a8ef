import { randomInt } from "node:crypto";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createServer } from "node:net";

const lowestPort = 12_000;

/**
 * A loopback address where nobody listens, with a port that the system gives to nobody who asks for any: for a server that has to come back where it
 * was, while the tests beside it open ports of their own.
 */
export async function keptAddress(): Promise<string> {
  const range = await readFile("/proc/sys/net/ipv4/ip_local_port_range", "utf8").catch(() => "");
  const firstGiven = Number.parseInt(range, 10) || 32_768;
  for (;;) {
    const port = randomInt(lowestPort, Math.max(firstGiven, lowestPort + 10_000));
    const server = createServer().listen(port, "127.0.0.1");
    const isFree = await once(server, "listening").then(
      () => true,
      () => false,
    );
    if (!isFree) continue;
    await new Promise((resolve) => server.close(resolve));
    return `127.0.0.1:${port}`;
  }
}
