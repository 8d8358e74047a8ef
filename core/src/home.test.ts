import { deepEqual, equal, rejects } from "node:assert/strict";
import { chmod, mkdir, mkdtemp, readdir, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, describe, it } from "node:test";
import {
  credentialsPath,
  homeDir,
  type LocalCredentials,
  readLocalCredentials,
  removeLocalCredentials,
  writeLocalCredentials,
} from "./home.ts";

const address = "127.0.0.1:8081";
const credentials: LocalCredentials = {
  address,
  namespace: "micro",
  account: "admin",
  token: "t",
  expiry: new Date(Date.now() + 60_000),
};

describe("the local credentials", async () => {
  const root = await mkdtemp(join(tmpdir(), "micro-home-"));
  let homes = 0;
  const newHome = () => join(root, String(homes++));
  after(() => rm(root, { recursive: true }));

  it("are read as they were written, under each name of this machine", async () => {
    const home = newHome();
    await writeLocalCredentials(home, credentials);
    for (const name of [address, "localhost:8081", ":8081", "0.0.0.0:8081", "[::1]:8081", "http://localhost:8081"])
      deepEqual(await readLocalCredentials(home, name), credentials, name);
    equal(await readLocalCredentials(home, "127.0.0.1:8082"), undefined);
    equal(await readLocalCredentials(home, "example.com:8081"), undefined);
  });

  it("are for this user alone, and leave nothing else behind", async () => {
    const home = newHome();
    await writeLocalCredentials(home, credentials);
    const path = credentialsPath(home, address);
    equal((await stat(path)).mode & 0o777, 0o600);
    equal((await stat(dirname(path))).mode & 0o777, 0o700);
    deepEqual(await readdir(dirname(path)), ["127.0.0.1-8081.json"]);
  });

  it("stay private when they replace a file that wasn't", async () => {
    const home = newHome();
    await writeLocalCredentials(home, credentials);
    await chmod(credentialsPath(home, address), 0o644);
    await writeLocalCredentials(home, { ...credentials, token: "u" });
    equal((await stat(credentialsPath(home, address))).mode & 0o777, 0o600);
    equal((await readLocalCredentials(home, address))?.token, "u");
  });

  it("are none when there is no file or it has expired", async () => {
    const home = newHome();
    equal(await readLocalCredentials(home, address), undefined);
    await writeLocalCredentials(home, { ...credentials, expiry: new Date(Date.now() - 1) });
    equal(await readLocalCredentials(home, address), undefined);
  });

  for (const damaged of [
    "",
    "{",
    "null",
    "[]",
    "{}",
    '{"token":5}',
    JSON.stringify({ ...credentials, expiry: "soon" }),
  ]) {
    it(`say what to do when the file is damaged: ${damaged.slice(0, 20) || "empty"}`, async () => {
      const home = newHome();
      const path = credentialsPath(home, address);
      await mkdir(dirname(path), { recursive: true });
      await writeFile(path, damaged);
      await rejects(readLocalCredentials(home, address), { code: 500, detail: /is damaged\. Delete it and restart/ });
    });
  }

  it("say which file can't be read", async () => {
    const home = newHome();
    await mkdir(credentialsPath(home, address), { recursive: true });
    await rejects(readLocalCredentials(home, address), { code: 500, detail: /cannot read .*127\.0\.0\.1-8081\.json/ });
  });

  it("are gone once removed, and removing twice is fine", async () => {
    const home = newHome();
    await writeLocalCredentials(home, credentials);
    await removeLocalCredentials(home, "localhost:8081");
    await removeLocalCredentials(home, address);
    equal(await readLocalCredentials(home, address), undefined);
  });

  it("never leave their folder, whatever the address", () => {
    for (const name of ["../../x:1", "a/b:1", "..", "http://a/../../b:1"])
      equal(dirname(credentialsPath("/h", name)), "/h/credentials", name);
  });
});

describe("homeDir", () => {
  it("is MICRO_HOME, or .micro in HOME", () => {
    equal(homeDir({ MICRO_HOME: "/m", HOME: "/h" }), "/m");
    equal(homeDir({ MICRO_HOME: "", HOME: "/h" }), "/h/.micro");
  });
});
