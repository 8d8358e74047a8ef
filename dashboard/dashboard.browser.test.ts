import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, describe, it } from "node:test";
import { DashboardServer } from "../platform/src/dashboard/dashboard-server.ts";
import { skipBrowser } from "../testing/src/chromium.ts";
import { DashboardBrowser, type DashboardTab } from "../testing/src/dashboard-browser.ts";
import { clock, DemoPlatform, helloworld } from "../testing/src/dashboard-services.ts";

describe("the dashboard in a browser", { skip: skipBrowser, timeout: 280_000 }, () => {
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

  it("signs in with the right password only, and out again", async () => {
    await tab.goto("/");
    await tab.fillSignIn("jane", "wrong");
    await tab.page.getByRole("alert").getByText("the account or the password is wrong").waitFor();
    await tab.shot("sign-in");
    await tab.fillSignIn("jane", "correct horse");
    await tab.page.getByRole("banner").getByText("acme", { exact: true }).waitFor();
    await tab.page.getByRole("banner").getByText("Jane", { exact: true }).waitFor();
    await tab.shot("signed-in");
    await tab.page.reload();
    await tab.page.getByRole("button", { name: "Sign out" }).click();
    await tab.page.getByLabel("Password", { exact: true }).waitFor();
    assert.equal((await tab.page.context().cookies()).length, 0);
  });

  it("lists services with their versions, nodes and endpoints, and searches them", async () => {
    await signIn("/");
    const list = tab.page.getByRole("navigation", { name: "Services" });
    await list.getByRole("link", { name: "helloworld" }).getByText("2 nodes · 3 endpoints").waitFor();
    await tab.page.keyboard.press("/");
    await tab.page.keyboard.type("CLO");
    await list.getByText("1 of 2 services").waitFor();
    await tab.page.keyboard.press("ArrowDown");
    await tab.page.keyboard.press("Enter");
    await tab.page.getByRole("heading", { name: /^clock/ }).waitFor();
    assert.equal(new URL(tab.page.url()).pathname, "/services/clock");
    await tab.page.goBack();
    await tab.page.getByText("Choose a service").waitFor();
  });

  it("opens a deep link after signing in, and says when nothing is there", async () => {
    await signIn("/services/helloworld/Helloworld.Fail");
    await tab.page.getByRole("button", { name: "Helloworld.Fail", expanded: true }).waitFor();
    await tab.page.getByRole("cell", { name: "127.0.0.1:41001" }).waitFor();
    await tab.goto("/services/nobody");
    await tab.page.getByText("No service of this name runs in the namespace acme").waitFor();
    await tab.goto("/nowhere");
    await tab.page.getByText("There is no such page").waitFor();
    platform.running = [];
    await tab.goto("/");
    await tab.page.getByText("micro run ./examples/helloworld").waitFor();
    await tab.shot("empty");
  });

  it("refreshes the list without touching what has been typed", async () => {
    await signIn("/services/helloworld");
    await call().getByLabel("name string").fill("half a sent");
    platform.running = [clock];
    await tab.page.getByText("This service isn't running at the moment").waitFor();
    platform.running = [structuredClone(helloworld), structuredClone(clock), { ...clock, name: "weather" }];
    await tab.page.getByRole("link", { name: "weather" }).waitFor();
    await tab.page.getByText("This service isn't running").waitFor({ state: "detached" });
    assert.equal(await call().getByLabel("name string").inputValue(), "half a sent");
  });

  it("asks to sign in again when the session ends, and keeps what has been typed", async () => {
    await signIn("/services/helloworld");
    await call().getByLabel("name string").fill("still here");
    platform.isRevoked = true;
    await tab.page.getByText("Your session has ended").waitFor();
    await tab.fillSignIn("jane", "correct horse");
    await tab.page.getByRole("button", { name: "Sign out" }).waitFor();
    assert.equal(await call().getByLabel("name string").inputValue(), "still here");
  });

  it("works on a narrow screen", async () => {
    await tab.page.setViewportSize({ width: 390, height: 800 });
    await signIn("/");
    await tab.shot("narrow-list");
    await tab.page.getByRole("link", { name: "helloworld" }).click();
    await tab.page.getByRole("heading", { name: /^helloworld/ }).waitFor();
    await tab.shot("narrow-service");
    const overflow = await tab.page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
    assert.equal(overflow, 0);
    await tab.page.getByRole("main").getByRole("link", { name: "All services" }).click();
    await tab.page.getByRole("link", { name: "clock" }).waitFor();
  });

  function signIn(path: string): Promise<void> {
    return tab.signIn(path, "jane", "correct horse");
  }

  function call() {
    return tab.endpoint("Helloworld.Call");
  }
});
