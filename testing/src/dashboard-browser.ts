import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { BrowserContext, Page } from "playwright-core";
import { launchChromium } from "./chromium.ts";

/** Chromium with an empty profile, and the dashboard's page as it is in the sources. */
export class DashboardBrowser implements AsyncDisposable {
  /** Folder of the built page. */
  readonly files: string;
  readonly #folder: string;
  readonly #context: BrowserContext;

  private constructor(folder: string, files: string, context: BrowserContext) {
    this.files = files;
    this.#folder = folder;
    this.#context = context;
  }

  static async start(): Promise<DashboardBrowser> {
    const folder = await mkdtemp(join(tmpdir(), "micro-browser-"));
    const files = join(folder, "dist");
    await buildPage(files);
    const context = await launchChromium(folder);
    return new DashboardBrowser(folder, files, context);
  }

  /** A tab for the dashboard at the origin, signed in nowhere. */
  async open(origin: string): Promise<DashboardTab> {
    await this.#context.clearCookies();
    return new DashboardTab(await this.#context.newPage(), origin);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#context.close();
    await rm(this.#folder, { recursive: true, force: true });
  }
}

/** One tab. Closing it fails when its console had an error that isn't an answer of the server. */
export class DashboardTab implements AsyncDisposable {
  readonly page: Page;
  readonly failures: string[] = [];
  readonly #origin: string;

  constructor(page: Page, origin: string) {
    this.page = page;
    this.#origin = origin;
    page.on("pageerror", (error) => this.failures.push(String(error)));
    page.on("console", (line) => {
      const isAnswer = /responded with a status of/.test(line.text());
      if (line.type() === "error" && !isAnswer) this.failures.push(line.text());
    });
  }

  async goto(path: string): Promise<void> {
    await this.page.goto(this.#origin + path);
  }

  async fillSignIn(account: string, password: string): Promise<void> {
    await this.page.getByLabel("Account", { exact: true }).fill(account);
    await this.page.getByLabel("Password", { exact: true }).fill(password);
    await this.page.getByRole("button", { name: "Sign in" }).click();
  }

  /** Opens a page and signs in there. */
  async signIn(path: string, account: string, password: string): Promise<void> {
    await this.goto(path);
    await this.fillSignIn(account, password);
    await this.page.getByRole("button", { name: "Sign out" }).waitFor();
  }

  /** The card of an endpoint. */
  endpoint(name: string) {
    return this.page.getByRole("region", { name });
  }

  /** For looking at the page: pictures go to the folder that SCREENSHOTS names, if any. */
  async shot(name: string): Promise<void> {
    const { SCREENSHOTS } = process.env;
    if (SCREENSHOTS !== undefined) await this.page.screenshot({ path: join(SCREENSHOTS, `${name}.png`) });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.page.close();
    assert.deepEqual(this.failures, [], "the page's console has errors");
  }
}

async function buildPage(outDir: string): Promise<void> {
  const root = fileURLToPath(new URL("../../", import.meta.url));
  const vite = join(root, "node_modules", "vite", "bin", "vite.js");
  const options = ["--outDir", outDir, "--logLevel", "error"];
  await promisify(execFile)(process.execPath, [vite, "build", ...options], { cwd: join(root, "dashboard") });
}
