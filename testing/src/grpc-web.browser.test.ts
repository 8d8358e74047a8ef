import { deepEqual, equal, match } from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { MicroError } from "@microts/core";
import { build } from "esbuild";
import type { BrowserContext, Page } from "playwright-core";
import { launchChromium, skipBrowser } from "./chromium.ts";
import { type ServedDep, serveDep } from "./dep.ts";
import type { WebPage } from "./grpc-web-page.ts";

declare const page: WebPage;

/** The bundled page as the answer to every request. */
async function servePage(): Promise<Server> {
  const entry = fileURLToPath(new URL("grpc-web-page.ts", import.meta.url));
  const { outputFiles } = await build({ entryPoints: [entry], bundle: true, write: false, format: "esm" });
  const html = `<!doctype html><link rel="icon" href="data:,"><script type="module">${outputFiles[0]?.text.replaceAll("</script", "<\\/script")}</script>`;
  const server = createServer((_, response) => response.setHeader("content-type", "text/html").end(html));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return server;
}

describe("a page in a browser", { skip: skipBrowser, timeout: 280_000 }, () => {
  let folder: string;
  let pages: Server;
  let served: ServedDep;
  let context: BrowserContext;
  let server: string;
  let allowed: string;
  let other: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "micro-grpc-web-"));
    pages = await servePage();
    const { port } = pages.address() as AddressInfo;
    allowed = `http://127.0.0.1:${port}`;
    other = `http://localhost:${port}`;
    served = await serveDep(
      {
        call: async ({ name }, { metadata }) => {
          if (name === "fail") throw MicroError.conflict("dep", "tåken");
          return { msg: `Hello ${name}${metadata["x-mark"]} ${metadata["cookie"] ?? "no cookie"}` };
        },
      },
      undefined,
      { web: { origins: [allowed] } },
    );
    server = `http://${served.server.address}`;
    context = await launchChromium(folder);
  });
  after(async () => {
    await context?.close();
    await served?.[Symbol.asyncDispose]();
    pages?.close();
    await rm(folder, { recursive: true, force: true });
  });

  async function at(origin: string): Promise<Page> {
    const tab = await context.newPage();
    await tab.goto(origin);
    await tab.waitForFunction(() => "page" in globalThis);
    return tab;
  }

  for (const library of ["connect", "grpcWeb"] as const) {
    it(`of a listed origin calls with ${library}: a reply, an error with its text, a stream`, async () => {
      const tab = await at(allowed);
      const ask = (name: string) =>
        tab.evaluate(([how, to, who]) => page[how](to, who), [library, server, name] as const);
      equal(await ask("Jane"), "Hello Jane! no cookie");
      const failure = await ask("fail");
      if (typeof failure === "string") throw new Error(failure);
      equal(failure.code, 6);
      equal(JSON.parse(failure.message).detail, "tåken");
      const counts = await tab.evaluate(([how, to]) => page[how](to, 100), [
        `${library}Stream` as const,
        server,
      ] as const);
      deepEqual(
        counts.split(",").map(Number),
        Array.from({ length: 100 }, (_, n) => n + 1),
      );
    });

    it(`of another origin is refused by the browser, with ${library}`, async () => {
      const tab = await at(other);
      const refusals: string[] = [];
      tab.on("console", (line) => refusals.push(line.text()));
      const failure = await tab.evaluate(([how, to]) => page[how](to, "Jane"), [library, server] as const);
      equal(typeof failure, "object");
      match(refusals.join(), /blocked by CORS policy/);
    });
  }
});
