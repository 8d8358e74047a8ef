import type { AddressInfo, Server } from "node:net";
import type { Announcement } from "./bench.ts";

/** Tells the process that started this one where the server listens. */
export function announce(announcement: Announcement): void {
  process.send?.(announcement);
}

/** Binds a free loopback port and announces it. */
export function listenAndAnnounce(server: Pick<Server, "address"> & { listen(...to: ListenArguments): unknown }): void {
  server.listen(0, "127.0.0.1", () => announce({ address: `127.0.0.1:${(server.address() as AddressInfo).port}` }));
}

type ListenArguments = [port: number, host: string, listening: () => void];
