import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, describe, it } from "node:test";
import type { DashboardService } from "../platform/src/dashboard/backend.ts";
import { DashboardServer } from "../platform/src/dashboard/dashboard-server.ts";
import { skipBrowser } from "../testing/src/chromium.ts";
import { DashboardBrowser, type DashboardTab } from "../testing/src/dashboard-browser.ts";
import { DemoPlatform, schema } from "../testing/src/dashboard-services.ts";
import { xssCorpus } from "../testing/src/xss-corpus.ts";

describe("hostile services in a browser", { skip: skipBrowser, timeout: 280_000 }, () => {
  let browser: DashboardBrowser;
  let platform: DemoPlatform;
  let server: DashboardServer;
  let tab: DashboardTab;

  before(async () => {
    browser = await DashboardBrowser.start();
  });
  after(() => browser?.[Symbol.asyncDispose]());
  beforeEach(async () => {
    platform = new DemoPlatform();
    server = await DashboardServer.listen({ backend: platform, port: 0, files: browser.files });
    tab = await browser.open(`http://localhost:${server.port}`);
  });
  afterEach(async () => {
    await tab[Symbol.asyncDispose]();
    await server[Symbol.asyncDispose]();
  });

  it("executes nothing that a service says (DB-01)", async () => {
    assert.ok(xssCorpus.length >= 150);
    platform.running = xssCorpus.map(hostile);
    await tab.page.addInitScript(() => {
      const spy = () => document.documentElement.setAttribute("data-executed", "yes");
      for (const name of ["alert", "confirm", "prompt", "print"] as const) window[name] = spy as never;
    });
    await signIn("/");
    await tab.page.getByRole("navigation", { name: "Services" }).getByText(`${xssCorpus.length} services`).waitFor();
    await tab.shot("xss-list");
    for (const [index, text] of xssCorpus.entries()) {
      const name = platform.running[index]?.name ?? "";
      await tab.page.evaluate(
        (path) => {
          history.pushState(null, "", path);
          dispatchEvent(new PopStateEvent("popstate"));
        },
        `/services/${encodeURIComponent(name)}`,
      );
      const heading = tab.page.locator("article h1");
      await tab.page.waitForFunction(
        (wanted) => document.querySelector("article h1")?.textContent?.startsWith(wanted),
        name,
      );
      assert.ok((await heading.textContent())?.startsWith(name), text);
      if (index % 10 === 0) {
        await tab.page.getByRole("button", { name: "Send" }).click();
        await tab.page.getByText("500 Internal Server Error").waitFor();
      }
    }
    await tab.shot("xss-service");
    const executed = () => tab.page.evaluate(() => document.documentElement.getAttribute("data-executed"));
    assert.equal(await executed(), null);
    assert.equal(
      await tab.page.locator("script:not([src^='/assets/']), iframe, object, embed, base, [onerror]").count(),
      0,
    );

    // Had anything been executed, this test would have seen it.
    await tab.page.evaluate(() => alert());
    assert.equal(await executed(), "yes");
  });

  it("may not run inline scripts even if one got in (DB-01)", async () => {
    await tab.goto("/");
    const refused = tab.page.waitForEvent("console");
    const ran = await tab.page.evaluate(() => {
      try {
        document.body.innerHTML = "<img src=x onerror='document.title = 1'>";
      } catch (error) {
        return String(error);
      }
      return "ran";
    });
    assert.match(ran, /TrustedHTML/);
    await refused;
    tab.failures.length = 0;
  });

  function signIn(path: string): Promise<void> {
    return tab.signIn(path, "jane", "correct horse");
  }

  function _call() {
    return tab.endpoint("Helloworld.Call");
  }
});

/** A service that says the text wherever a service can say anything. Its name tells it from the others. */
function hostile(text: string, index: number): DashboardService {
  const field = schema(text, "string");
  const message = schema(text, text, [field, schema(`${text}2`, "[]string"), schema(`${text}3`, `M${text}`, [field])]);
  return {
    name: `${text} ${index}`,
    version: text,
    metadata: { [text]: text },
    nodes: [{ id: text, address: text, metadata: { [text]: text } }],
    endpoints: [
      { name: text, stream: false, description: text, request: message, response: message, metadata: { [text]: text } },
    ],
  };
}
