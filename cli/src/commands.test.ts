import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { type CoreServer, registering, serveCore } from "@microts/testing";

const binary = fileURLToPath(new URL("../bin/micro.js", import.meta.url));

let server: CoreServer;
let folder = "";
before(async () => {
  server = await serveCore();
  folder = await mkdtemp(join(tmpdir(), "micro-commands-"));
});
after(async () => {
  await server[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `micro` as a process of its own against the server, or where `env` says. */
function micro(
  args: readonly string[],
  { env = {}, input = "" }: { env?: Record<string, string>; input?: string } = {},
): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const own = {
      PATH: process.env["PATH"],
      HOME: folder,
      MICRO_HOME: server.home,
      MICRO_PROXY: server.address,
      ...env,
    };
    const child = spawn(process.execPath, [binary, ...args], { cwd: folder, env: own });
    let [stdout, stderr] = ["", ""];
    child.stdout.on("data", (chunk) => {
      stdout += chunk;
    });
    child.stderr.on("data", (chunk) => {
      stderr += chunk;
    });
    child.on("error", reject);
    child.on("close", (code) => resolve({ code, stdout, stderr }));
    child.stdin.end(input);
  });
}

/** A row: arguments, exit code, what standard output is or matches, what standard error matches. */
type Row = readonly [args: readonly string[], code: number, stdout: string | RegExp, stderr?: RegExp];

function check(rows: readonly Row[]): void {
  for (const [args, code, stdout, stderr] of rows) {
    it(`answers: micro ${args.join(" ")}`, async () => {
      const outcome = await micro(args);
      assert.equal(outcome.code, code, outcome.stderr);
      if (typeof stdout === "string") assert.equal(outcome.stdout, stdout);
      else assert.match(outcome.stdout, stdout);
      if (stderr === undefined) assert.equal(outcome.stderr, "");
      else assert.match(outcome.stderr, stderr);
    });
  }
}

describe("micro, without a command that is known", () => {
  check([
    [[], 1, "", /^No command provided to micro\. Please refer to 'micro --help'\n$/],
    [["--help"], 0, /^NAME:[\s\S]*\nCOMMANDS:[\s\S]*\nGLOBAL OPTIONS:/],
    [["help"], 0, /\nCOMMANDS:/],
    [["help", "run"], 0, /^NAME:\n {3}micro run - [\s\S]*--env_vars/],
    [["run", "--help"], 0, /^NAME:\n {3}micro run - /],
    [["-h"], 0, /\nCOMMANDS:/],
    [["--version"], 0, /^micro version \d+\.\d+\.\d+\n$/],
    [["-v"], 0, /^micro version /],
    [["version", "--output", "json"], 0, /^\{\n\t"version": "/],
    [["statsu"], 1, "", /Unrecognized micro command: statsu.*Did you mean status\?/],
    [["hellowrld"], 1, "", /Did you mean helloworld\?.*'micro --help'/],
    [["store", "raed"], 1, "", /Unrecognized subcommand for micro store: raed\. Did you mean read\?/],
    [["auth", "list"], 0, /^NAME:[\s\S]*COMMANDS:/],
    [["services", "--outptu", "json"], 1, "", /Unknown flag: --outptu\. Did you mean --output\?/],
    [["--mars", "services"], 1, "", /Unknown flag: --mars/],
    [["services", "extra"], 1, "", /has no use for "extra"/],
    [["kill"], 1, "", /micro kill needs <name/],
    [["-e", "mars", "env"], 1, "", /Env "mars" not found/],
  ]);

  it("runs an executable micro-<word> from the PATH, with its arguments and exit code", async () => {
    const bin = join(folder, "bin");
    await mkdir(bin);
    await writeFile(join(bin, "micro-hi"), '#!/bin/sh\necho "hi $@"\nexit 7\n');
    await chmod(join(bin, "micro-hi"), 0o755);
    const outcome = await micro(["hi", "--name", "x"], { env: { PATH: bin + delimiter + process.env["PATH"] } });
    assert.deepEqual(outcome, { code: 7, stdout: "hi --name x\n", stderr: "" });
  });
});

describe("micro, calling services", () => {
  check([
    [["services"], 0, "helloworld\n"],
    [["--output=json", "services"], 0, '[\n\t"helloworld"\n]\n'],
    [["services", "--namespace", "empty"], 0, ""],
    [
      ["get", "service", "helloworld"],
      0,
      /^service {2}helloworld\n\nversion latest\n\nID\tAddress\tMetadata\nhelloworld-1\t[\s\S]*Endpoint: Helloworld\.Call\n[\s\S]*\toptions Options \{\n\t\tttl int64/,
    ],
    [["get", "service", "nope"], 4, "", /Service "nope" not found/],
    [["call", "helloworld", "Helloworld.Call", '{"name":', '"Jane"}'], 0, '{\n\t"msg": "Hello Jane"\n}\n'],
    [["call", "helloworld", "Helloworld.Ping"], 0, '{\n\t"big": 12345678901234567890\n}\n'],
    [["call", "--output", "raw", "helloworld", "Helloworld.Ping"], 0, '{"big":12345678901234567890}'],
    [["call", "helloworld", "Helloworld.Call", "{bad"], 1, "", /^Error creating request/],
    [["call", "helloworld", "call"], 3, "", /Method name "call" invalid format\. Expecting service\.endpoint/],
    [["call", "helloworld", "Helloworld.Cal"], 5, "", /Service method .* not found\. Did you mean Helloworld\.Call/],
    [["call", "hellowrld", "Helloworld.Call"], 4, "", /Service "hellowrld" not found.*Did you mean helloworld\?/],
    [["call", "helloworld", "Helloworld.Fail"], 127, "", /^It is there already\n$/],
    [["call", "--request_timeout", "ten", "helloworld", "Helloworld.Call"], 1, "", /must be a duration/],
    [["stream", "helloworld", "Helloworld.Count", '{"to":2}'], 0, '{\n\t"n": 1\n}\n{\n\t"n": 2\n}\n'],
    [["stream", "helloworld", "Helloworld.Count", "--output", "json"], 0, '{"n":1}\n{"n":2}\n{"n":3}\n'],
  ]);

  it("prints errors as JSON when asked for JSON", async () => {
    const { code, stderr, stdout } = await micro(["helloworld", "fail", "--output", "json"]);
    assert.deepEqual([code, stdout], [127, ""]);
    assert.deepEqual(JSON.parse(stderr), {
      id: "helloworld.Helloworld.Fail",
      code: 409,
      detail: "it is there already",
      status: "Conflict",
    });
  });

  it("says what to do when no server runs", async () => {
    const { code, stderr } = await micro(["services"], { env: { MICRO_PROXY: "127.0.0.1:1" } });
    const text =
      "cannot reach the micro server at 127.0.0.1:1: nothing listens there. Start one with: micro server, or choose another environment: micro env\n";
    assert.deepEqual([code, stderr], [4, text]);
  });

  it("says what to do about a damaged config file", async () => {
    const config = join(folder, "damaged.json");
    await writeFile(config, "{");
    const { code, stderr } = await micro(["--config", config, "services"]);
    assert.equal(code, 1);
    assert.match(stderr, /damaged\.json is damaged/);
  });
});

describe("micro <service>", () => {
  check([
    [["helloworld", "--name=Jane"], 0, '{\n\t"msg": "Hello Jane"\n}\n'],
    [["helloworld", "call", "--name", "a=b"], 0, '{\n\t"msg": "Hello a=b"\n}\n'],
    [["helloworld", "helloworld", "call", "--name=Jo"], 0, /Hello Jo/],
    [["helloworld", '{"name":"Jane"}'], 0, /Hello Jane/],
    [
      ["helloworld"],
      0,
      /^NAME:\n\tmicro helloworld\n\nVERSION:\n\tlatest\n\nUSAGE:\n\tmicro helloworld \[command\]\n\nCOMMANDS:\n\tcall\n\tcount\n\tfail\n\tping\n$/,
    ],
    [["helloworld", "--help"], 0, /\nCOMMANDS:/],
    [
      ["helloworld", "call", "--help"],
      0,
      /\nFLAGS:\n\t--name string\n[\s\S]*\t--options_ttl int64\n\t--options_owner_name string/,
    ],
    [["helloworld", "ping"], 0, /12345678901234567890/],
    [["helloworld", "count", "--to=2"], 0, '{\n\t"n": 1\n}\n{\n\t"n": 2\n}\n'],
    [["helloworld", "cal"], 128, "", /Endpoint .*not found for service helloworld\. Did you mean call\?/],
    [["helloworld", "call", "--nme=x"], 1, "", /Unknown flag: --nme\. Did you mean --name\?/],
    [["helloworld", "call", "--count=x"], 1, "", /--count wants int32/],
    [["helloworld", "call", "--name"], 1, "", /--name needs a value/],
  ]);

  it("sends each flag under its field with its type", async () => {
    const flags = [
      "--name=J",
      "--shout",
      "--count=0x10",
      "--big=9223372036854775807",
      "--tags=a,b",
      "--user-email=x",
      "--options-owner-name=Bo",
      "--labels=k=v",
    ];
    assert.equal((await micro(["helloworld", ...flags])).code, 0);
    assert.deepEqual(JSON.parse(server.requests.at(-1) ?? ""), {
      name: "J",
      shout: true,
      count: 16,
      big: "9223372036854775807",
      tags: ["a", "b"],
      userEmail: "x",
      options: { owner: { name: "Bo" } },
      labels: { k: "v" },
    });
  });
});

describe("micro run, status, logs, update and kill", () => {
  it("take a folder from source to nothing", async () => {
    const source = join(folder, "svc");
    await mkdir(source);
    await writeFile(join(source, "package.json"), '{"type":"module"}');
    await writeFile(join(source, "index.ts"), registering("first"));
    assert.deepEqual(await micro(["run", "./svc"]), { code: 0, stdout: "", stderr: "" });
    const { stdout } = await micro(["status"]);
    assert.match(
      stdout,
      /^NAME\tVERSION\tSOURCE\t+STATUS\tBUILD\tUPDATED\tMETADATA\nsvc\tlatest\t\S+\/svc\trunning\t\S{7}\t\d+s ago\s+owner=admin, group=micro\n$/,
    );
    assert.match((await micro(["run", "./svc"])).stderr, /micro update/);
    assert.equal((await micro(["logs", "svc"])).stdout, "first\n");
    await writeFile(join(source, "index.ts"), registering("second"));
    assert.deepEqual(JSON.parse((await micro(["update", "./svc", "--output=json"])).stdout), {
      name: "svc",
      version: "latest",
      status: "running",
    });
    assert.match((await micro(["logs", "svc", "--output=json"])).stdout, /"Message":"second"/);
    assert.equal((await micro(["kill", "svc"])).code, 0);
    assert.equal((await micro(["status"])).stdout, "");
    const again = await micro(["kill", "svc"]);
    assert.deepEqual([again.code, /not found/.test(again.stderr)], [127, true]);
  });

  it("show why a service doesn't run", async () => {
    await writeFile(join(folder, "bad.ts"), "export const x: number = ;\n");
    await mkdir(join(folder, "none"));
    const bad = await micro(["run", "bad.ts"]);
    assert.equal(bad.code, 127);
    assert.match(bad.stderr, /does not compile:[\s\S]*bad\.ts:1:25/);
    assert.match((await micro(["run", "none"])).stderr, /has no files to run/);
    assert.match((await micro(["run", "nothing"])).stderr, /no file or folder nothing/);
    assert.match((await micro(["update", "bad.ts", "--name", "x"])).stderr, /does not compile/);
    assert.doesNotMatch(bad.stderr, /\n\s+at /);
  });
});

describe("micro store", () => {
  it("writes, reads, lists and deletes records", async () => {
    assert.equal((await micro(["store", "write", "users/b", "two", "words"])).code, 0);
    await micro(["store", "write", "--expiry", "10m", "users/a", "1"]);
    assert.equal((await micro(["store", "read", "users/b"])).stdout, "two words\n");
    assert.equal((await micro(["store", "list", "--prefix", "users/"])).stdout, "users/a\nusers/b\n");
    assert.equal((await micro(["store", "list", "--prefix", "users/", "--offset", "1"])).stdout, "users/b\n");
    assert.equal(
      (await micro(["store", "list", "--prefix", "users/", "--limit", "1", "--order", "desc"])).stdout,
      "users/b\n",
    );
    assert.match(
      (await micro(["store", "read", "--prefix", "users/", "--verbose"])).stdout,
      /^KEY {6}VALUE {6}EXPIRY\nusers\/a {2}1 {10}in \d+m\d+s\nusers\/b {2}two words {2}None\n$/,
    );
    assert.equal((await micro(["store", "delete", "users/b"])).code, 0);
    const missing = await micro(["store", "read", "users/b"]);
    assert.deepEqual([missing.code, /Not found/.test(missing.stderr)], [1, true]);
  });
  it("keeps databases apart", async () => {
    await micro(["store", "write", "--database", "acme", "k", "v"]);
    assert.equal((await micro(["store", "list", "--database", "acme"])).stdout, "k\n");
    assert.match((await micro(["store", "databases"])).stdout, /^acme$/m);
  });
});

describe("micro config", () => {
  it("sets, gets and deletes values", async () => {
    await micro(["config", "set", "app.greeting", 'say "hi"']);
    assert.equal((await micro(["config", "get", "app.greeting"])).stdout, 'say "hi"\n');
    await micro(["config", "set", "app", '{"retries":3}']);
    assert.deepEqual(JSON.parse((await micro(["config", "get", "app"])).stdout), { greeting: 'say "hi"', retries: 3 });
    await micro(["config", "set", "-s", "app.key", "abc"]);
    assert.equal((await micro(["config", "get", "app.key"])).stdout, "[secret]\n");
    assert.equal((await micro(["config", "get", "app.key", "--secret"])).stdout, "abc\n");
    await micro(["config", "del", "app"]);
    const missing = await micro(["config", "get", "app"]);
    const text = `Not found: nothing is set under "app" in namespace "micro". Set it with: micro config set app <value>\n`;
    assert.deepEqual([missing.code, missing.stderr], [1, text]);
  });
});

describe("micro login, user and auth", () => {
  it("sign in with lines from standard input, change the password, sign out", async () => {
    const env = { MICRO_HOME: join(folder, "jane-home") };
    await micro(["auth", "create", "account", "jane", "--secret", "first-password", "--scopes", "editor"]);
    assert.deepEqual(await micro(["login"], { env, input: "jane\nfirst-password\n" }), {
      code: 0,
      stdout: "Successfully logged in.\n",
      stderr: "",
    });
    assert.equal((await micro(["user"], { env })).stdout, "jane\n");
    assert.equal(
      (
        await micro(["user", "set", "password", "--old_password=first-password", "--new_password=other-password"], {
          env,
        })
      ).stderr,
      "",
    );
    assert.equal((await micro(["user"], { env })).stdout, "jane\n");
    await micro(["logout"], { env });
    const after = await micro(["user"], { env });
    assert.deepEqual([after.code, /not logged in/.test(after.stderr)], [1, true]);
    assert.doesNotMatch(await readFile(join(env.MICRO_HOME, "tokens"), "utf8"), /jane/);
    const wrong = await micro(["login", "--username", "jane", "--password", "first-password"], { env });
    assert.equal(wrong.code, 1);
    assert.equal(wrong.stdout, "");
    assert.doesNotMatch(wrong.stderr, /first-password/);
  });
  it("list and change accounts and rules", async () => {
    assert.match(
      (await micro(["auth", "list", "accounts"])).stdout,
      /^ID\t\tName\t\tScopes\t\tMetadata\nadmin\t\tadmin\t\tadmin\t\t/,
    );
    assert.equal(
      (
        await micro([
          "auth",
          "create",
          "rule",
          "r1",
          "--resource",
          "service:x:*",
          "--access",
          "denied",
          "--priority",
          "-1",
        ])
      ).stdout,
      "Rule created\n",
    );
    assert.match((await micro(["auth", "list", "rules"])).stdout, /\nr1\t\t<public>\t\tDENIED\t\tservice:x:\*\t\t-1\n/);
    assert.equal((await micro(["auth", "delete", "rule", "r1"])).stdout, "Rule deleted\n");
    const wrong = await micro(["auth", "create", "rule", "r2", "--resource", "x"]);
    assert.deepEqual([wrong.code, /type:name:endpoint/.test(wrong.stderr)], [1, true]);
  });
  it("tell who isn't allowed", async () => {
    const { code, stderr } = await micro(["services"], { env: { MICRO_HOME: join(folder, "nobody") } });
    assert.equal(code, 2);
    assert.match(stderr, /^Not authorized to perform this request/);
  });
});

describe("micro new", () => {
  it("makes a project and refuses what is there", async () => {
    const made = await micro(["new", "foo-bar"]);
    assert.equal(made.code, 0);
    assert.match(made.stdout, /^Creating service foo-bar\n\nfoo-bar\n├── \.gitignore\n[\s\S]*index\.ts/);
    assert.match(await readFile(join(folder, "foo-bar", "index.ts"), "utf8"), /service\("foo-bar", \{/);
    const manifest: unknown = JSON.parse(await readFile(join(folder, "foo-bar", "package.json"), "utf8"));
    assert.equal((manifest as { name: string }).name, "foo-bar");
    assert.match((await micro(["new", "foo-bar"])).stderr, /foo-bar already exists/);
    assert.match((await micro(["new", "/tmp/x"])).stderr, /absolute path/);
    assert.match((await micro(["new"])).stderr, /specify service name/);
    assert.match((await micro(["new", "Foo"])).stderr, /cannot be a service's name/);
  });
});

describe("micro env", () => {
  it("adds, chooses, lists and deletes environments", async () => {
    const env = { MICRO_HOME: join(folder, "env-home"), MICRO_PROXY: "" };
    await micro(["env", "add", "prod", "proxy.example.com:443"], { env });
    await micro(["env", "set", "prod"], { env });
    assert.equal(
      (await micro(["env"], { env })).stdout,
      "  local  127.0.0.1:8081         Local running Micro Server\n* prod   proxy.example.com:443\n",
    );
    assert.equal((await micro(["env", "get"], { env })).stdout, "prod\n");
    assert.match((await micro(["env", "del", "prod"], { env })).stderr, /in use/);
    await micro(["env", "set", "local"], { env });
    assert.equal((await micro(["env", "del", "prod"], { env })).code, 0);
    assert.match((await micro(["env", "set", "prod"], { env })).stderr, /Environment 'prod' does not exist/);
    assert.match((await micro(["env", "add", "x", "not an address"], { env })).stderr, /not an address/);
  });
});
