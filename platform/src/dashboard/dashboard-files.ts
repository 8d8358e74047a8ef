import { createHash } from "node:crypto";
import { readdir, readFile, stat } from "node:fs/promises";
import type { IncomingMessage, ServerResponse } from "node:http";
import { extname, join, sep } from "node:path";
import { MicroError } from "@microts/core";

interface CachedFile {
  readonly body: Uint8Array;
  readonly headers: Readonly<Record<string, string>>;
}

const types: Readonly<Record<string, string>> = {
  ".css": "text/css; charset=utf-8",
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".json": "application/json",
  ".png": "image/png",
  ".svg": "image/svg+xml",
  ".txt": "text/plain; charset=utf-8",
  ".woff2": "font/woff2",
};

const unbuilt = `The dashboard has not been built yet. Build it with:

    npm run build:dashboard

and reload this page.
`;

/**
 * The built files of the dashboard, read once and kept in memory. Only what the folder listing showed is ever served, so no path can
 * lead out of it. A new build is noticed at the next page load.
 */
export class DashboardFiles {
  readonly #folder: string;
  #files: ReadonlyMap<string, CachedFile> = new Map();
  #builtAtMs = 0;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Answers a GET or HEAD: a file; index.html for a page of the dashboard; the way to build it when it isn't; else 404. */
  async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (request.method !== "GET" && request.method !== "HEAD") {
      throw new MicroError(405, "dashboard", `${request.method} isn't possible here`);
    }
    const [path = "/"] = (request.url ?? "/").split("?");
    const isPage = isPagePath(path);
    if ((isPage || this.#files.size === 0) && !(await this.#refresh())) return sendUnbuilt(response);
    const file = this.#files.get(isPage ? "/index.html" : path);
    if (file === undefined) throw MicroError.notFound("dashboard", "there is no such page");
    send(request, response, file);
  }

  /** Reads everything again when index.html has changed. False when there is no index.html. */
  async #refresh(): Promise<boolean> {
    const index = await stat(join(this.#folder, "index.html")).catch(() => undefined);
    if (index === undefined) return false;
    if (index.mtimeMs === this.#builtAtMs) return true;
    this.#files = await readFolder(this.#folder);
    this.#builtAtMs = index.mtimeMs;
    return true;
  }
}

/** Pages are the paths whose last part has no extension, and everything below /services/, because service names may have dots. */
function isPagePath(path: string): boolean {
  return path.startsWith("/services/") || !(path.startsWith("/assets/") || /\.[^/]*$/.test(path));
}

async function readFolder(folder: string): Promise<ReadonlyMap<string, CachedFile>> {
  const files = new Map<string, CachedFile>();
  for (const name of await readdir(folder, { recursive: true })) {
    const type = types[extname(name)];
    if (type === undefined) continue;
    const path = `/${name.split(sep).join("/")}`;
    files.set(path, cached(path, type, await readFile(join(folder, name))));
  }
  return files;
}

function cached(path: string, type: string, body: Uint8Array): CachedFile {
  // Vite puts a hash of the contents into the names below /assets.
  const cacheControl = path.startsWith("/assets/") ? "public, max-age=31536000, immutable" : "no-cache";
  const etag = `"${createHash("sha256").update(body).digest("base64url").slice(0, 22)}"`;
  return {
    body,
    headers: { "content-type": type, "content-length": String(body.length), "cache-control": cacheControl, etag },
  };
}

function send(request: IncomingMessage, response: ServerResponse, { body, headers }: CachedFile): void {
  if (request.headers["if-none-match"] === headers.etag) {
    const { "content-length": _, ...rest } = headers;
    response.writeHead(304, rest).end();
    return;
  }
  response.writeHead(200, headers).end(request.method === "HEAD" ? undefined : body);
}

function sendUnbuilt(response: ServerResponse): void {
  response.writeHead(503, { "content-type": "text/plain; charset=utf-8", "cache-control": "no-store" }).end(unbuilt);
}
