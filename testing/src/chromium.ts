import { existsSync } from "node:fs";
import { join } from "node:path";
import { type BrowserContext, chromium } from "playwright-core";

const chromiumPath = "/usr/bin/chromium";
const chromiumArguments = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** Why tests in a browser can't run here, or false. Under CI they have to run, and fail when they can't. */
export const skipBrowser: string | false =
  existsSync(chromiumPath) || process.env.CI === "true" ? false : `there is no ${chromiumPath}; install chromium`;

/** Chromium with an empty profile in the folder. */
export async function launchChromium(folder: string): Promise<BrowserContext> {
  const context = await chromium.launchPersistentContext(join(folder, "profile"), {
    executablePath: chromiumPath,
    headless: true,
    args: chromiumArguments,
  });
  context.setDefaultTimeout(60_000);
  return context;
}
