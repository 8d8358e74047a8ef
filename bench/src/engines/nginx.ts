import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Bench } from "../bench.ts";
import { freePort, startEngine } from "./process.ts";

/** nginx passing gRPC on to `target`, over connections it keeps. Resolves with its address; undefined where it isn't installed. */
export async function startNginx(bench: Bench, target: string): Promise<string | undefined> {
  const folder = await bench.newFolder("nginx");
  const port = await freePort();
  const config = join(folder, "nginx.conf");
  await writeFile(config, configOf(folder, port, target));
  const isStarted = await startEngine(bench, "nginx", ["-p", folder, "-c", config], { port, folder });
  if (!isStarted) return undefined;
  return `127.0.0.1:${port}`;
}

function configOf(folder: string, port: number, target: string): string {
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
  return `daemon off;
worker_processes 1;
pid ${folder}/nginx.pid;
error_log ${folder}/error.log;
events { worker_connections 1024; }
http {
  access_log off;
  ${temporary.map((name) => `${name}_temp_path ${folder}/${name};`).join("\n  ")}
  upstream node { server ${target}; keepalive 64; keepalive_requests 1000000000; }
  server {
    listen 127.0.0.1:${port} http2;
    keepalive_requests 1000000000;
    location / { grpc_pass grpc://node; }
  }
}
`;
}
