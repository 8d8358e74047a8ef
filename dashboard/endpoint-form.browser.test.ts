import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { DashboardServer } from "../platform/src/dashboard/dashboard-server.ts";
import { skipBrowser } from "../testing/src/chromium.ts";
import { DashboardBrowser, type DashboardTab } from "../testing/src/dashboard-browser.ts";
import { DemoPlatform } from "../testing/src/dashboard-services.ts";

describe("the form of an endpoint in a browser", { skip: skipBrowser, timeout: 280_000 }, () => {
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

  it("calls an endpoint with nested fields and keeps their types", async () => {
    await signIn("/services/helloworld");
    await call().getByLabel("name string").fill("Jane");
    await call().getByLabel("age int32").fill("41");
    await call().getByLabel("account int64").fill("9007199254740993");
    await call().getByLabel("active bool").selectOption("false");
    await call().getByRole("group", { name: "tags" }).getByRole("button", { name: "Add item" }).click();
    await tab.page.keyboard.type("first");
    await call().getByRole("group", { name: "tags" }).getByRole("button", { name: "Add item" }).click();
    await tab.page.keyboard.type("7");
    await call().getByRole("group", { name: "scores" }).getByRole("button", { name: "Add row" }).click();
    await tab.page.keyboard.type("chess");
    await call().getByLabel("scores, row 1, value").fill("1.5");
    await call().getByLabel("picture bytes").fill("aGk=");
    const address = call().getByRole("group", { name: "address Address" });
    await address.getByLabel("street string").fill("42");
    await address.getByRole("group", { name: "geo Geo" }).getByLabel("lat float64").fill("52.5");
    await call().getByLabel("friends []Person").fill('[{"name": "Ann"}]');
    await tab.page.keyboard.press("Control+Enter");
    await tab.page.getByText("200 OK").waitFor();
    assert.deepEqual(platform.requests, [
      {
        name: "Jane",
        age: 41,
        account: "9007199254740993",
        active: false,
        tags: ["first", "7"],
        scores: { chess: 1.5 },
        picture: "aGk=",
        address: { street: "42", geo: { lat: 52.5 } },
        friends: [{ name: "Ann" }],
      },
    ]);
    await tab.page.getByText("From a terminal").first().click();
    await tab.page.getByText("Schema").first().click();
    await tab.shot("call");
    await tab.page.emulateMedia({ colorScheme: "dark" });
    await tab.shot("call-dark");
  });

  it("sends nothing while a field is wrong, and says which", async () => {
    await signIn("/services/helloworld");
    await call().getByLabel("age int32").fill("old");
    await call().getByRole("button", { name: "Send" }).first().click();
    await tab.page.getByText("has to be a whole number").waitFor();
    assert.equal(await tab.page.evaluate(() => document.activeElement?.getAttribute("aria-invalid")), "true");
    await tab.shot("problem");
    assert.deepEqual(platform.requests, []);
    await call().getByLabel("age int32").fill("");
    await tab.page.keyboard.press("Enter");
    await tab.page.getByText("200 OK").waitFor();
    assert.deepEqual(platform.requests, [{}]);
  });

  it("edits the request as JSON and goes back only if nothing is lost", async () => {
    await signIn("/services/helloworld");
    await call().getByLabel("name string").fill("Jane");
    const json = call().getByLabel("Request as JSON").first();
    const asJson = call().getByLabel("as JSON", { exact: true }).first();
    await asJson.click();
    assert.deepEqual(JSON.parse(await json.inputValue()), { name: "Jane" });
    await json.fill('{"name": "Jane", "nickname": "J"}');
    await asJson.click();
    await tab.page.getByText("The form can't show nickname.").waitFor();
    await json.fill('{"name": "Ann", "age": 3}');
    await asJson.click();
    assert.equal(await call().getByLabel("name string").inputValue(), "Ann");
    assert.equal(await call().getByLabel("age int32").inputValue(), "3");
  });

  it("shows an error with its detail and where it came from", async () => {
    await signIn("/services/helloworld/Helloworld.Fail");
    await tab.page.getByRole("button", { name: "Send" }).click();
    await tab.page.getByText("404 Not Found").waitFor();
    await tab.page.getByText("nobody of that name is known here").waitFor();
    await tab.shot("error");
  });

  it("appends streamed replies as they come, and stops", async () => {
    await signIn("/services/clock");
    await tab.page.getByRole("button", { name: "Send" }).click();
    await tab.page.getByText(/"tick":5,/).waitFor();
    await tab.shot("stream");
    await tab.page.getByRole("button", { name: "Stop" }).click();
    await tab.page.getByText("stopped", { exact: true }).waitFor();
    while (platform.stopped.length === 0) await delay(10);
    await tab.page.getByText("From a terminal").click();
    await tab.page.getByText("micro stream clock Clock.Stream '{}'").waitFor();
  });

  function signIn(path: string): Promise<void> {
    return tab.signIn(path, "jane", "correct horse");
  }

  function call() {
    return tab.endpoint("Helloworld.Call");
  }
});
