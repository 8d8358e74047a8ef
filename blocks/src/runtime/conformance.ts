import { deepEqual, equal, match, ok, rejects } from "node:assert/strict";
import type { CreateOptions, LogLine, LogQuery, RuntimeDriver, ServiceSource } from "./driver.ts";

type Test = (name: string, run: () => Promise<void>) => unknown;

/**
 * Sources for the suite: `good` registers and keeps running, having printed the line `ready`; `better` is another that prints `better`; `exits` prints
 * `about to fail` and ends with code 3 at once; `broken` doesn't compile; `silent` runs and never registers.
 */
export type SourceKind = "good" | "better" | "exits" | "broken" | "silent";

export interface RuntimeHarness {
  /** A runtime without services, in which what doesn't register within this time has failed. Default: one that a busy machine needs never. */
  open(registerTimeoutMs?: number): Promise<RuntimeDriver>;
  /** A source as a tar. */
  source(kind: SourceKind): AsyncIterable<Uint8Array>;
}

const signal = new AbortController().signal;
const plain: CreateOptions = { env: {}, entrypoint: "", command: [], args: [], instances: 1, force: false };
const owner = { name: "admin", group: "micro" };
const query: LogQuery = { service: "greeter", version: "latest", count: 0, since: undefined, follow: false };

/** What every runtime driver promises; one test for each sentence of `driver.ts`. */
export function runtimeConformance(test: Test, { open, source }: RuntimeHarness): void {
  const uploaded = async (
    driver: RuntimeDriver,
    kind: SourceKind,
    name = "greeter",
    namespace = "micro",
  ): Promise<ServiceSource> => ({
    name,
    version: "latest",
    source: await driver.upload(namespace, name, "latest", source(kind), signal),
    metadata: { source: `./${name}` },
  });
  const created = async (
    driver: RuntimeDriver,
    kind: SourceKind,
    name = "greeter",
    namespace = "micro",
    options: Partial<CreateOptions> = {},
  ) => driver.create(namespace, await uploaded(driver, kind, name, namespace), { ...plain, ...options }, owner, signal);

  uploadTests(test, { open, source }, created);

  test("runs a service once create resolves, and says so", async () => {
    await using driver = await open();
    await created(driver, "good");
    const [service, ...more] = await driver.read("micro", "", "", signal);
    equal(more.length, 0);
    equal(service?.status, "running");
    equal(service.source, "source://greeter:latest");
    equal(service.metadata["source"], "./greeter");
    equal(service.metadata["owner"], "admin");
    equal(service.metadata["group"], "micro");
    ok(Date.now() - Date.parse(service.metadata["started"] ?? "") < 60_000);
    match(service.metadata["build"] ?? "", /^[0-9a-f]{7}/);
    equal(service.metadata["error"], undefined);
  });

  test("refuses a service that is there, and replaces it with force", async () => {
    await using driver = await open();
    await created(driver, "good");
    await rejects(created(driver, "better"), { code: 409 });
    await created(driver, "better", "greeter", "micro", { force: true });
    ok((await messages(driver)).includes("better"));
  });

  for (const { kind, words, withinMs } of [
    { kind: "broken", words: /index\.\w+:\d+:\d+: /, withinMs: undefined },
    { kind: "exits", words: /code 3.*about to fail/s, withinMs: undefined },
    { kind: "silent", words: /register/, withinMs: 4000 },
  ] as const) {
    test(`says why a source that is ${kind} isn't brought up, and takes a better one after`, async () => {
      await using driver = await open(withinMs);
      await rejects(created(driver, kind), { code: 400, message: words });
      const [service] = await driver.read("micro", "greeter", "", signal);
      equal(service?.status, "error");
      match(service.metadata["error"] ?? "", words);
      await created(driver, "good");
      equal((await driver.read("micro", "greeter", "", signal))[0]?.status, "running");
    });
  }

  test("gives up a start when the signal aborts", async () => {
    await using driver = await open();
    const service = await uploaded(driver, "silent");
    await rejects(driver.create("micro", service, plain, owner, AbortSignal.timeout(300)));
  });

  test("lists by name then version, filters, and keeps tenants apart", async () => {
    await using driver = await open();
    await created(driver, "good", "zebra");
    await created(driver, "good", "ant");
    await created(driver, "good", "ant", "acme");
    deepEqual(await names(driver, "micro"), ["ant latest", "zebra latest"]);
    deepEqual(await names(driver, "micro", "ant"), ["ant latest"]);
    deepEqual(await names(driver, "micro", "", "v2"), []);
    deepEqual(await names(driver, "acme"), ["ant latest"]);
    await driver.delete("acme", "ant", "latest", signal);
    deepEqual(await names(driver, "micro"), ["ant latest", "zebra latest"]);
  });

  test("updates to a new source, and keeps the old when that fails", async () => {
    await using driver = await open();
    await created(driver, "good");
    const before = (await driver.read("micro", "greeter", "", signal))[0];
    await rejects(driver.update("micro", await uploaded(driver, "exits"), { entrypoint: "", instances: 0 }, signal), {
      code: 400,
    });
    const kept = (await driver.read("micro", "greeter", "", signal))[0];
    deepEqual([kept?.status, kept?.metadata["build"]], ["running", before?.metadata["build"]]);
    await driver.update("micro", await uploaded(driver, "better"), { entrypoint: "", instances: 0 }, signal);
    const after = (await driver.read("micro", "greeter", "", signal))[0];
    equal(after?.status, "running");
    ok(after.metadata["build"] !== before?.metadata["build"]);
    ok((await messages(driver)).includes("better"));
  });

  test("updates, deletes and shows logs of known services only", async () => {
    await using driver = await open();
    const service = { name: "nobody", version: "latest", source: "source://nobody:latest", metadata: {} };
    await rejects(driver.update("micro", service, { entrypoint: "", instances: 0 }, signal), { code: 404 });
    await rejects(driver.delete("micro", "nobody", "latest", signal), { code: 404 });
    await rejects(driver.logs("micro", { ...query, service: "nobody" }, signal), { code: 404 });
  });

  test("forgets what is deleted, its logs and its build too", async () => {
    await using driver = await open();
    await created(driver, "good");
    await driver.delete("micro", "greeter", "latest", signal);
    deepEqual(await driver.read("micro", "", "", signal), []);
    await rejects(driver.logs("micro", query, signal), { code: 404 });
    equal(await driver.build("micro", "greeter", "latest", signal), undefined);
    await created(driver, "better");
    ok(!(await messages(driver)).includes("ready"));
  });

  logTests(test, { open, source }, created);
}

type Created = (driver: RuntimeDriver, kind: SourceKind, name?: string, namespace?: string) => Promise<void>;

function uploadTests(test: Test, { open, source }: RuntimeHarness, created: Created): void {
  test("keeps a source under its name and version", async () => {
    await using driver = await open();
    equal(await driver.upload("micro", "greeter", "v1", source("good"), signal), "source://greeter:v1");
  });

  test("leaves the source that was there when an upload breaks off", async () => {
    await using driver = await open();
    const key = await driver.upload("micro", "greeter", "latest", source("good"), signal);
    await rejects(driver.upload("micro", "greeter", "latest", breaksOff(), signal));
    await driver.create(
      "micro",
      { name: "greeter", version: "latest", source: key, metadata: {} },
      plain,
      owner,
      signal,
    );
    equal((await driver.read("micro", "greeter", "", signal))[0]?.status, "running");
  });

  test("gives out the program it has made", async () => {
    await using driver = await open();
    equal(await driver.build("micro", "greeter", "latest", signal), undefined);
    await created(driver, "good");
    const chunks = await driver.build("micro", "greeter", "latest", signal);
    ok(chunks !== undefined && Buffer.concat(await Array.fromAsync(chunks)).includes("ready"));
    equal(await driver.build("acme", "greeter", "latest", signal), undefined);
  });

  test("refuses sources and commands it can't run", async () => {
    await using driver = await open();
    const service = { name: "greeter", version: "latest", source: "nowhere", metadata: {} };
    await rejects(driver.create("micro", service, plain, owner, signal), { code: 501 });
  });
}

function logTests(test: Test, { open }: RuntimeHarness, created: Created): void {
  test("shows what a service has written, with time, stream and version", async () => {
    await using driver = await open();
    await created(driver, "good");
    const line = (await lines(driver)).find(({ message }) => message === "ready");
    equal(line?.metadata["stream"], "stdout");
    equal(line.metadata["version"], "latest");
    ok(Date.now() - line.timestamp.getTime() < 60_000);
  });

  test("shows the last lines, lines since, and the only version when none is given", async () => {
    await using driver = await open();
    await created(driver, "good");
    const all = await lines(driver, { version: "" });
    deepEqual(await lines(driver, { count: 1 }), all.slice(-1));
    deepEqual(await lines(driver, { since: new Date(Date.now() + 60_000) }), []);
  });

  test("follows a log until the signal aborts or the service is deleted", async () => {
    await using driver = await open();
    await created(driver, "good");
    const abort = new AbortController();
    const seen: string[] = [];
    for await (const { message } of await driver.logs("micro", { ...query, follow: true }, abort.signal)) {
      seen.push(message);
      if (message === "ready") abort.abort();
    }
    ok(seen.includes("ready"));
    const following = await driver.logs("micro", { ...query, follow: true }, signal);
    const rest = Array.fromAsync(following);
    await driver.delete("micro", "greeter", "latest", signal);
    await rest;
  });
}

async function lines(driver: RuntimeDriver, part: Partial<LogQuery> = {}): Promise<LogLine[]> {
  return Array.fromAsync(await driver.logs("micro", { ...query, ...part }, signal));
}

async function messages(driver: RuntimeDriver): Promise<string[]> {
  return (await lines(driver)).map(({ message }) => message);
}

async function names(driver: RuntimeDriver, namespace: string, name = "", version = ""): Promise<string[]> {
  return (await driver.read(namespace, name, version, signal)).map((service) => `${service.name} ${service.version}`);
}

async function* breaksOff(): AsyncGenerator<Uint8Array, void, undefined> {
  yield new Uint8Array(512);
  throw new Error("the uploader went away");
}
