import { Etcd3 } from "etcd3";
import type { Bench } from "../bench.ts";
import { freePort, startEngine } from "./process.ts";

/** One etcd, with the `etcd3` client; undefined where it isn't installed. */
export async function startEtcd(bench: Bench): Promise<Etcd3 | undefined> {
  const [port, peerPort] = await Promise.all([freePort(), freePort()]);
  const folder = await bench.newFolder("etcd");
  const [url, peer] = [`http://127.0.0.1:${port}`, `http://127.0.0.1:${peerPort}`];
  const args = [
    `--data-dir=${folder}/data`,
    `--listen-client-urls=${url}`,
    `--advertise-client-urls=${url}`,
    `--listen-peer-urls=${peer}`,
    `--initial-advertise-peer-urls=${peer}`,
    `--initial-cluster=default=${peer}`,
    "--log-level=error",
  ];
  if (!(await startEngine(bench, "etcd", args, { port, folder }))) return undefined;
  const client = new Etcd3({ hosts: `127.0.0.1:${port}` });
  bench.use({ [Symbol.asyncDispose]: async () => client.close() });
  return client;
}
