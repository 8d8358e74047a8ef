import assert from "node:assert/strict";
import { cp, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import type { Result } from "./child.ts";
import { addressVariables, type CommandOptions, Machine, type MicroServer, repository, startServer } from "./micro.ts";

/** A command line, the exit code it has to end with, and what its error has to say. */
type Case = readonly [args: readonly string[], code: number, ...words: RegExp[]];

/** Nothing ever listens there. */
const nobody = "127.0.0.1:1";
const stackTrace = /^\s+at .+[:)]/m;

describe("bad input", { timeout: 280_000 }, () => {
  let server: MicroServer;
  let neverRegistering: Promise<Result>;

  before(async () => {
    server = await startServer();
    await cp(join(repository, "examples", "helloworld"), join(server.machine.work, "helloworld"), { recursive: true });
    await server.machine.write(badSources);
    await mkdir(join(server.machine.work, "empty"));
    await server.output("run", "./helloworld");
    // It is given 30 s, which are spent on the other tests.
    neverRegistering = server.micro("run", "./silent");
    neverRegistering.catch(() => {});
  });
  after(() => server?.[Symbol.asyncDispose]());

  describe("on the command line", () => {
    const missing = /cannot reach the micro server at 127\.0\.0\.1:1: nothing listens there.*micro server.*micro env/;
    const withoutServer: readonly Case[] = [
      [["services"], 4, missing],
      [["status"], 4, missing],
      [["run", "./helloworld"], 4, missing],
      [["call", "helloworld", "Helloworld.Call", "{}"], 4, missing],
      [["stream", "helloworld", "Helloworld.Call", "{}"], 4, missing],
      [["helloworld", "--name=Jane"], 4, missing],
      [["logs", "helloworld"], 4, missing],
      [["login", "--username=admin", "--password=secret"], 1, missing],
      [["store", "list"], 1, missing],
      [["run", "./nowhere"], 1, /there is no file or folder \.\/nowhere/],
      [["statsu"], 1, /Unrecognized micro command: statsu.*Did you mean status/],
    ];
    for (const [args, code, ...words] of withoutServer) {
      it(`says so without a server: micro ${args.join(" ")}`, async () => {
        const options = { cwd: server.machine.work, env: { MICRO_PROXY: nobody } };
        expectError(await server.machine.run(args, options), code, words);
      });
    }

    const cases: readonly Case[] = [
      [[], 1, /No command provided to micro\. Please refer to 'micro --help'/],
      [["serices"], 1, /Unrecognized micro command: serices.*Did you mean services/],
      [["helloword", "--name=Jane"], 1, /Unrecognized micro command: helloword.*Did you mean helloworld/],
      [
        ["store", "reed", "x"],
        1,
        /Unrecognized subcommand for micro store: reed.*Did you mean read.*'micro store --help'/,
      ],
      [["run"], 1, /micro run needs <source>/],
      [["call", "helloworld"], 1, /micro call needs <endpoint>/],
      [["services", "extra"], 1, /has no use for "extra"/],
      [["status", "--bogus"], 1, /Unknown flag: --bogus.*micro status --help/],
      [["run", "--instnces=2", "./helloworld"], 1, /Unknown flag: --instnces.*Did you mean --instances/],
      [["run", "--instances=many", "./helloworld"], 1, /--instances must be a whole number.*"many"/],
      [
        ["call", "helloworld", "Helloworld.Call", "--request_timeout=soon"],
        1,
        /--request_timeout must be a duration.*"soon"/,
      ],
      [["login", "--username=admin", "--password=wrong"], 1, /secret not correct/i],
      [["login", "--username=nobody", "--password=wrong"], 1, /secret not correct/i],
      [["call", "helloword", "Helloworld.Call", "{}"], 4, /"helloword" not found.*Did you mean helloworld/],
      [["get", "service", "helloword"], 4, /"helloword" not found.*Did you mean helloworld/],
      [["stream", "helloword", "Helloworld.Call", "{}"], 4, /"helloword" not found.*Did you mean helloworld/],
      [["call", "helloworld", "Helloworld.Cal", "{}"], 5, /Helloworld\.Cal" not found.*Did you mean Helloworld\.Call/],
      [["call", "helloworld", "Call", "{}"], 3, /Method name "Call" invalid format\. Expecting service\.endpoint/],
      [
        ["helloworld", "cal", "--name=Jane"],
        128,
        /Endpoint Helloworld\.Cal not found for service helloworld.*Did you mean call/,
      ],
      [["helloworld", "--nme=Jane"], 1, /Unknown flag: --nme.*Did you mean --name/],
      [["helloworld", "call", "--name"], 1, /--name needs a value/],
      [["call", "helloworld", "Helloworld.Call", "{nope"], 1, /Error creating request.*not valid JSON.*\{nope/],
      [["helloworld", "call"], 127, /Invalid request to Helloworld\.Call: name: .*expected string/],
      [
        ["call", "helloworld", "Helloworld.Call", "{}"],
        127,
        /Invalid request to Helloworld\.Call: name: .*expected string/,
      ],
      [["call", "helloworld", "Helloworld.Call", '{"name": 5}'], 127, /name: .*expected string, received number/],
      [["call", "helloworld", "Helloworld.Call", "[]"], 127, /expected object, received array/],
      [["kill", "nobody"], 127, /"nobody".*not found.*micro status/],
      [["logs", "nobody"], 127, /"nobody".*not found.*micro status/],
      [["update", "./throws", "--name=nobody"], 127, /"nobody".*not found.*micro run \.\/throws/],
      [["run", "./helloworld"], 127, /"helloworld".*runs.*already.*micro update/],
      [["store", "read", "nothing"], 1, /Not found/],
      [["config", "get", "nothing"], 127, /Not found/],
      [["env", "set", "mars"], 1, /'mars' does not exist.*micro env/],
      [["new", "Hello World"], 1, /"Hello World" cannot be a service's name/],
      [["new", "helloworld"], 1, /helloworld already exists/],
      [["run", "./nowhere"], 1, /there is no file or folder \.\/nowhere/],
      [["run", "./empty"], 1, /empty has no files to run/],
      [["run", "./notes.txt"], 1, /notes\.txt is not a TypeScript or JavaScript file/],
      [["run", "./broken"], 127, /doesn't compile/, /^index\.ts:3:\d+: /m],
      [
        ["run", "./missing"],
        127,
        /doesn't compile/,
        /^index\.ts:1:\d+: Could not resolve "left-pad-of-nobody"/m,
        /dependencies in package\.json/,
      ],
      [
        ["run", "./throws"],
        127,
        /exited with code 1 before it had registered/,
        /Error: the database is down/,
        /index\.ts:3/,
      ],
      [["run", "./exits"], 127, /exited with code 3 before it had registered/],
    ];
    for (const [args, code, ...words] of cases) {
      it(`explains micro ${args.join(" ")}`, async () => {
        expectError(await server.micro(...args), code, words);
        await expectWell();
      });
    }

    it("has the same in JSON", async () => {
      const { code, stderr } = await server.micro("call", "helloworld", "Helloworld.Call", "{nope", "--output=json");
      assert.equal(code, 1);
      const { detail, ...rest } = JSON.parse(stderr) as { detail: string; code: number };
      assert.equal(rest.code, 400);
      assert.match(detail, /not valid JSON/);
    });

    it("names an environment that isn't there", async () => {
      expectError(await server.machine.run(["services"], { env: { MICRO_ENV: "locl" } }), 1, [
        /Env "locl" not found\. Did you mean local/,
      ]);
      expectError(await server.machine.run(["--env=mars", "services"]), 1, [/Env "mars" not found.*micro env/]);
    });
  });

  describe("to the gateway", () => {
    const json = (body: string) => ({ method: "POST", body, headers: { "content-type": "application/json" } });
    const cases: readonly (readonly [what: string, path: string, init: RequestInit, status: number, words: RegExp])[] =
      [
        ["an unknown service", "/helloword/call", {}, 404, /"helloword" not found.*Did you mean "helloworld"/],
        ["an unknown endpoint", "/helloworld/cal", {}, 404, /no endpoint "Helloworld\.Cal"\. It has Helloworld\.Call/],
        ["bad JSON", "/helloworld/call", json("{nope"), 400, /not JSON.*line 1/],
        ["an array", "/helloworld/call", json("[]"), 400, /expected object, received array/],
        ["a missing field", "/helloworld/call", json("{}"), 400, /name: .*expected string/],
        ["a missing query", "/helloworld/call", {}, 400, /name: .*expected string/],
        ["a wrong type", "/helloworld/call", json('{"name": 5}'), 400, /name: .*expected string, received number/],
        ["a wrong token", "/helloworld/call?name=Jane", { headers: { authorization: "Bearer x" } }, 401, /token/],
        [
          "an unknown format",
          "/helloworld/call",
          { method: "POST", body: "<a/>", headers: { "content-type": "text/xml" } },
          415,
          /text\/xml/,
        ],
        ["a malformed path", "/%zz", {}, 400, /percent-encoding/],
      ];
    for (const [what, path, init, status, words] of cases) {
      it(`is answered with ${status} for ${what}`, async () => {
        const response = await server.fetch(path, undefined, init);
        const text = await response.text();
        assert.equal(response.status, status, text);
        const error = JSON.parse(text) as { id: string; code: number; detail: string; status: string };
        assert.equal(error.code, status);
        assert.match(error.detail, words);
        assert.doesNotMatch(error.detail, stackTrace);
        await expectWell();
      });
    }
  });

  describe("to a server that starts", () => {
    for (const [entry, setting] of Object.entries({
      api: "MICRO_API_ADDRESS",
      proxy: "MICRO_PROXY_ADDRESS",
      web: "MICRO_WEB_ADDRESS",
      network: "MICRO_NETWORK_ADDRESS",
    })) {
      it(`names who holds the port of ${entry}`, async () => {
        await using machine = await Machine.create();
        const address = server.addresses[entry as keyof typeof server.addresses];
        const words = [
          new RegExp(
            `can't listen on ${address}: process ${server.process.pid} \\(.*micro.js server.*\\) holds the port`,
          ),
          new RegExp(`choose another address with .*${setting}`),
        ];
        expectError(await refused(machine, { env: addressVariables({ [entry]: address }) }), 127, words);
        await expectWell();
      });
    }

    it("is refused a data directory that another server uses (ST-12)", async () => {
      const words = [
        /\.micro\/server is in use by another micro server/,
        new RegExp(`pid ${server.process.pid}\\b`),
        /MICRO_DATA_DIR/,
      ];
      expectError(await refused(server.machine, { env: addressVariables() }), 127, words);
      await expectWell();
    });

    it("has all wrong settings named at once", async () => {
      await using machine = await Machine.create();
      const env = {
        ...addressVariables({ api: "127.0.0.1:99999", web: "nowhere" }),
        MICRO_LOG_LEVEL: "loud",
      };
      const words = [
        /"127\.0\.0\.1:99999", not an address/,
        /MICRO_LOG_LEVEL is "loud"/,
        /MICRO_WEB_ADDRESS is "nowhere", not an address/,
      ];
      expectError(await refused(machine, { env }), 127, words);
    });

    it("is told when the data directory can't be made", async () => {
      await using machine = await Machine.create();
      await machine.write({ file: "" });
      const path = join(machine.work, "file", "data");
      const env = { ...addressVariables(), MICRO_DATA_DIR: path };
      expectError(await refused(machine, { env }), 127, [
        new RegExp(`can't make the data directory ${path}`, "i"),
        /MICRO_DATA_DIR/,
      ]);
    });

    async function refused(machine: Machine, options: CommandOptions): Promise<Result> {
      return machine.run(["server"], options);
    }
  });

  describe("in ~/.micro/config.json", () => {
    for (const [what, text] of [
      ["half a file", '{"env": "lo'],
      ["an array", "[]"],
      ["bytes that are no text", "\0\0\0"],
    ] as const) {
      it(`is named as the reason: ${what}`, async () => {
        await using machine = await Machine.create();
        const path = join(machine.home, ".micro", "config.json");
        await mkdir(join(machine.home, ".micro"));
        await writeFile(path, text);
        for (const args of [["env"], ["services"], ["env", "set", "local"]]) {
          const words = [new RegExp(`the config file ${path} is damaged`), /Repair it, or delete it/];
          expectError(await machine.run(args, { env: server.env }), 1, words);
        }
      });
    }
  });

  it("that never registers is given 30 s", async () => {
    const words = [/did not register within 30 s/, /export default service\("name"/, /here I am/];
    expectError(await neverRegistering, 127, words);
    const status = await server.output("status", "silent");
    assert.match(status, /\bsilent\b.*\berror\b.*did not register/);
    await expectWell();
  });

  it("leaves no stack trace in the server's log", async () => {
    assert.doesNotMatch(server.process.stderr, stackTrace);
    assert.doesNotMatch(await server.output("status"), stackTrace);
  });

  async function expectWell(): Promise<void> {
    const response = await server.fetch("/helloworld/call?name=Jane");
    assert.deepEqual([response.status, await response.json()], [200, { msg: "Hello Jane" }]);
  }
});

function expectError({ code, stdout, stderr }: Result, expected: number, words: readonly RegExp[]): void {
  assert.equal(code, expected, stderr + stdout);
  assert.equal(stdout, "");
  for (const word of words) assert.match(stderr, word);
  assert.doesNotMatch(stderr, stackTrace);
}

const start = 'import { service } from "@microts/service";\n';

const badSources = {
  "notes.txt": "not a service\n",
  "broken/index.ts": `${start}export default service("broken", {\n  call: ( ;\n`,
  "missing/index.ts": 'import pad from "left-pad-of-nobody";\nexport default pad;\n',
  "throws/index.ts": `${start}export default service("throws", {});\nthrow new Error("the database is down");\n`,
  "exits/index.ts": `${start}export default service("exits", {});\nprocess.exit(3);\n`,
  "silent/index.ts": 'console.log("here I am");\nsetInterval(() => {}, 60_000);\n',
};
