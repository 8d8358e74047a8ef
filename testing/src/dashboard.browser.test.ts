import assert from "node:assert/strict";
import { cp, readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, afterEach, before, beforeEach, describe, it } from "node:test";
import { skipBrowser } from "./chromium.ts";
import { DashboardBrowser, type DashboardTab } from "./dashboard-browser.ts";
import { type MicroServer, repository, startServer } from "./micro.ts";
import { until } from "./until.ts";

describe("the dashboard of a whole platform", { skip: skipBrowser, timeout: 280_000 }, () => {
  let browser: DashboardBrowser;
  let server: MicroServer;
  let tab: DashboardTab;

  before(async () => {
    [server, browser] = await Promise.all([startServer(), DashboardBrowser.start()]);
    const { work } = server.machine;
    await cp(join(repository, "examples", "helloworld"), join(work, "helloworld"), { recursive: true });
    const clock = await readFile(join(repository, "examples", "clock", "index.ts"), "utf8");
    const line = 'signal.aborted && console.log("the caller left")';
    await server.machine.write({
      "clock/index.ts": clock.replace("{ signal });", `{ signal }).finally(() => ${line});`),
    });
    await server.output("run", "./helloworld");
    await server.output("run", "./clock");
  });
  after(async () => {
    await browser?.[Symbol.asyncDispose]();
    await server?.[Symbol.asyncDispose]();
  });
  beforeEach(async () => {
    tab = await browser.open(`http://${server.addresses.web}`);
  });
  afterEach(() => tab[Symbol.asyncDispose]());

  it("refuses a wrong password and says so", async () => {
    await tab.goto("/");
    await tab.fillSignIn("admin", "not the password");
    await tab.page
      .getByRole("alert")
      .getByText(/secret not correct/i)
      .waitFor();
    await tab.shot("platform-wrong-password");
    assert.equal((await tab.page.context().cookies()).length, 0);
    assert.equal(await tab.page.getByRole("navigation", { name: "Services" }).count(), 0);
  });

  it("lists what runs, to the admin with the password that the first start made", async () => {
    await signIn("/");
    const list = tab.page.getByRole("navigation", { name: "Services" });
    await list.getByRole("link", { name: "helloworld" }).getByText("1 node · 1 endpoint").waitFor();
    await list.getByRole("link", { name: "clock" }).getByText("1 node · 2 endpoints").waitFor();
    await tab.shot("platform-services");
    await list.getByRole("link", { name: "helloworld" }).click();
    await tab.page.getByRole("heading", { name: /^helloworld/ }).waitFor();
    await tab.page.getByText("Greets somebody by name").waitFor();
  });

  it("calls an endpoint with the form made from its schema", async () => {
    await signIn("/services/helloworld");
    const card = tab.endpoint("Helloworld.Call");
    await card.getByLabel("name string").fill("Jane");
    await card.getByRole("button", { name: "Send" }).click();
    await card.getByText("200 OK").waitFor();
    await card.getByText("Hello Jane").waitFor();
    await tab.shot("platform-reply");
  });

  it("shows what the service says of a wrong request", async () => {
    await signIn("/services/helloworld");
    const card = tab.endpoint("Helloworld.Call");
    await card.getByRole("button", { name: "Send" }).click();
    await card.getByText("400 Bad Request").waitFor();
    await card.getByText(/name: .*expected string/).waitFor();
  });

  it("shows a stream as it comes, and stops it", async () => {
    await signIn("/services/clock/Clock.Tick");
    const card = tab.endpoint("Clock.Tick");
    await card.getByLabel(/^intervalMs/).fill("50");
    await card.getByRole("button", { name: "Send" }).click();
    await card.getByText(/"count":\s*3,/).waitFor();
    await tab.shot("platform-stream");
    await card.getByRole("button", { name: "Stop" }).click();
    await card.getByText("stopped", { exact: true }).waitFor();
    await until(
      () => server.output("logs", "clock"),
      (log) => log.includes("the caller left"),
    );
  });

  it("shows a service that starts and one that ends without a reload", async () => {
    await signIn("/");
    const list = tab.page.getByRole("navigation", { name: "Services" });
    await server.machine.write({ "later/index.ts": later });
    await server.output("run", "./later");
    await list.getByRole("link", { name: "later" }).waitFor();
    await server.output("kill", "later");
    await list.getByRole("link", { name: "later" }).waitFor({ state: "detached" });
  });

  it("signs out", async () => {
    await signIn("/");
    await tab.page.getByRole("button", { name: "Sign out" }).click();
    await tab.page.getByLabel("Password", { exact: true }).waitFor();
    assert.equal((await tab.page.context().cookies()).length, 0);
  });

  async function signIn(path: string): Promise<void> {
    await tab.signIn(path, "admin", await server.adminPassword());
  }
});

const later = `import { endpoint, service } from "@microts/service";
export default service("later", { call: endpoint({ handler: () => ({}) }) });
`;
