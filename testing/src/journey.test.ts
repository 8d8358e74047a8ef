import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { Client, credentials, type ServiceError } from "@grpc/grpc-js";
import { callGrpcJson } from "./grpc-json.ts";
import { keptAddress } from "./kept-address.ts";
import { Machine, type MicroServer, repository, startServer } from "./micro.ts";
import { until } from "./until.ts";

const tsc = join(repository, "node_modules", "typescript", "bin", "tsc");

/** Calls `hello`, whose types it imports, and counts in the store. */
const greeter = `import { client, endpoint, service, store } from "@microts/service";
import { z } from "zod";
import type hello from "../hello/index.ts";

const helloService = client<typeof hello>("hello");

export default service("greeter", {
  greet: endpoint({
    input: z.object({ name: z.string() }),
    output: z.object({ text: z.string(), times: z.int() }),
    handler: async ({ name }) => {
      const { msg } = await helloService.call({ name });
      const times = ((await store.read<number>(name)) ?? 0) + 1;
      await store.write(name, times);
      console.log(\`greeted \${name}\`);
      return { text: msg, times };
    },
  }),

  times: endpoint({
    input: z.object({ name: z.string() }),
    output: z.object({ times: z.int() }),
    handler: async ({ name }) => ({ times: (await store.read<number>(name)) ?? 0 }),
  }),
});
`;

describe("a service from its first line to its end", { timeout: 280_000 }, () => {
  let machine: Machine;
  let server: MicroServer;

  before(async () => {
    machine = await Machine.create();
    const addresses = { api: await keptAddress(), proxy: await keptAddress(), web: await keptAddress() };
    server = await startServer({ machine, addresses: { ...addresses, network: await keptAddress() } });
  });
  after(async () => {
    await server?.[Symbol.asyncDispose]();
    await machine?.[Symbol.asyncDispose]();
  });

  it("is made by micro new", async () => {
    const made = await server.output("new", "hello");
    assert.match(made, /Creating service hello/);
    assert.match(made, /index\.ts/);
    await server.output("new", "greeter");
    await machine.write({ "greeter/index.ts": greeter });
  });

  it("type-checks as it is, and so does a service that calls it, with nothing generated", async () => {
    const call = "const { msg } = await";
    const wrong = greeter
      .replace("call({ name })", "call({ nam: name })")
      .replace(call, `// @ts-expect-error\n      ${call}`);
    assert.match(wrong, /ts-expect-error\n.*\{ nam: name \}/);
    await machine.write({ "greeter/wrong.ts": wrong });
    for (const name of ["hello", "greeter"]) {
      const checked = await machine.startFile(tsc, ["-p", name]).within(60_000);
      assert.deepEqual({ ...checked, stderr: "" }, { code: 0, stdout: "", stderr: "" });
    }
  });

  it("is started by micro run, which says nothing when all is well", async () => {
    assert.deepEqual(await server.micro("run", "./hello"), { code: 0, stdout: "", stderr: "" });
    assert.equal((await server.micro("run", "./greeter")).code, 0);
  });

  it("is shown as running", async () => {
    const table = await server.output("status");
    assert.match(table, /^NAME\s+VERSION\s+SOURCE\s+STATUS\s+BUILD\s+UPDATED\s+METADATA$/m);
    assert.match(table, /^\s*hello\s+latest\s+\S+\/hello\s+running\s/m);
    assert.match(table, /^\s*greeter\s+latest\s+\S+\/greeter\s+running\s/m);
    assert.deepEqual(
      (await names()).filter((name) => name === "hello" || name === "greeter"),
      ["greeter", "hello"],
    );
    const block = await server.output("get", "service", "hello");
    assert.match(block, /^service\s+hello$/m);
    assert.match(block, /Endpoint: Hello\.Call/);
  });

  it("answers through the gateway", async () => {
    const get = await server.fetch("/hello/call?name=Jane");
    assert.deepEqual([get.status, await get.json()], [200, { msg: "Hello Jane" }]);
    const post = await server.fetch("/hello/call", { name: "John" });
    assert.deepEqual([post.status, await post.json()], [200, { msg: "Hello John" }]);
    assert.match(post.headers.get("content-type") ?? "", /^application\/json/);
  });

  it("is a command", async () => {
    assert.equal(await server.output("hello", "--name=Jane"), '{\n\t"msg": "Hello Jane"\n}\n');
    assert.equal(
      await server.output("call", "hello", "Hello.Call", '{"name": "John"}'),
      '{\n\t"msg": "Hello John"\n}\n',
    );
    assert.match(await server.output("hello", "--help"), /call/);
    assert.match(await server.output("hello", "call", "--help"), /--name string/);
    const stream = await server.output("stream", "hello", "Hello.Stream", '{"count": 2}', "--output=json");
    assert.deepEqual(jsonLines(stream), [{ count: 1 }, { count: 2 }]);
  });

  it("is called by another service, which keeps a count in the store", async () => {
    assert.deepEqual(JSON.parse(await server.output("greeter", "greet", "--name=Jane")), {
      text: "Hello Jane",
      times: 1,
    });
    const { times } = (await (await server.fetch("/greeter/greet", { name: "Jane" })).json()) as { times: number };
    assert.equal(times, 2);
  });

  it("is called by an independent gRPC client", async () => {
    for (const address of [server.addresses.proxy, server.addresses.network]) {
      assert.equal(await callGrpcProto(address, "/hello.Hello/Call", "Ada"), "Hello Ada");
    }
    await assert.rejects(
      callGrpcProto(server.addresses.proxy, "/hello.Hello/Nothing", "Ada"),
      (error: ServiceError) => {
        assert.match(error.details, /Nothing/);
        return true;
      },
    );
  });

  it("is called by gRPC with JSON", async () => {
    const { proxy } = server.addresses;
    assert.deepEqual(await callGrpcJson(proxy, { path: "/hello.Hello/Call", request: { name: "Ada" } }), {
      contentType: "application/grpc+json",
      status: "0",
      replies: [{ msg: "Hello Ada" }],
    });
    const { status, replies } = await callGrpcJson(proxy, { path: "/hello.Hello/Stream", request: { count: 3 } });
    assert.deepEqual([status, replies], ["0", [{ count: 1 }, { count: 2 }, { count: 3 }]]);
  });

  it("has its log shown", async () => {
    assert.match(await server.output("logs", "hello"), /serving/);
    assert.match(await server.output("logs", "greeter"), /^greeted Jane$/m);
    const last = JSON.parse((await server.output("logs", "-n", "1", "-o", "json", "greeter")).trim());
    assert.equal(last.Message, "greeted Jane");
  });

  it("is replaced by micro update while no call fails", async () => {
    const path = join(machine.work, "hello", "index.ts");
    await machine.write({
      "hello/index.ts": (await readFile(path, "utf8")).replace("msg: `Hello", "msg: `Welcome"),
    });
    const calls = new AbortController();
    const seen = new Map<string, number>();
    const calling = (async () => {
      while (!calls.signal.aborted) {
        const response = await server.fetch("/hello/call?name=Jane");
        const said = `${response.status} ${await response.text()}`;
        seen.set(said, (seen.get(said) ?? 0) + 1);
      }
    })();
    const updated = await server.micro("update", "./hello");
    calls.abort();
    await calling;
    assert.deepEqual(updated, { code: 0, stdout: "", stderr: "" });
    const answers = ['200 {"msg":"Hello Jane"}', '200 {"msg":"Welcome Jane"}'];
    assert.deepEqual(
      [...seen.keys()].filter((said) => !answers.includes(said)),
      [],
    );
    assert.deepEqual(JSON.parse(await server.output("hello", "--name=Jane")), { msg: "Welcome Jane" });
    assert.equal(JSON.parse(await server.output("greeter", "greet", "--name=Jane")).text, "Welcome Jane");
  });

  it("keeps the old one when the new one does not start", async () => {
    const path = join(machine.work, "hello", "index.ts");
    const good = await readFile(path, "utf8");
    await machine.write({ "hello/index.ts": `${good}\nthrow new Error("the new one is broken");\n` });
    const { code, stderr } = await server.micro("update", "./hello");
    assert.notEqual(code, 0);
    assert.match(stderr, /the new one is broken/);
    assert.deepEqual(JSON.parse(await server.output("hello", "--name=Jane")), { msg: "Welcome Jane" });
    await machine.write({ "hello/index.ts": good });
  });

  it("is gone after micro kill", async () => {
    assert.deepEqual(await server.micro("kill", "hello"), { code: 0, stdout: "", stderr: "" });
    assert.doesNotMatch(await server.output("status"), /\bhello\b/);
    assert.ok(!(await names()).includes("hello"));
    const { status } = await server.fetch("/hello/call?name=Jane");
    assert.equal(status, 404);
    const { code, stderr } = await server.micro("hello", "--name=Jane");
    assert.equal(code, 1);
    assert.match(stderr, /hello/);
  });

  it("is back with its data when the server is started again", async () => {
    await server.stop();
    server = await startServer({ machine, addresses: server.addresses });
    await until(
      () => server.output("status"),
      (table) => /^\s*greeter\s+latest\s+\S+\s+running\s/m.test(table),
    );
    assert.deepEqual(JSON.parse(await server.output("greeter", "times", "--name=Jane")), { times: 3 });
    assert.deepEqual(await (await server.fetch("/greeter/times?name=Jane")).json(), { times: 3 });
    assert.doesNotMatch(await server.output("status"), /\bhello\b/);
    assert.match(await server.output("logs", "-n", "0", "greeter"), /^greeted Jane$/m);
  });

  it("is back with its data after the server was killed with no warning", async () => {
    await server.kill();
    server = await startServer({ machine, addresses: server.addresses });
    await until(
      () => server.output("status"),
      (table) => /^\s*greeter\s+latest\s+\S+\s+running\s/m.test(table),
    );
    assert.deepEqual(JSON.parse(await server.output("greeter", "times", "--name=Jane")), { times: 3 });
  });

  it("ends with the server", async () => {
    await server.stop("SIGINT");
    await assert.rejects(fetch(`http://${server.addresses.api}/greeter/times?name=Jane`));
  });

  async function names(): Promise<string[]> {
    return (await server.output("services")).split("\n").filter((line) => line !== "");
  }
});

/** One string in field 1, and one string in field 1 back: the first fields of both schemas of `hello`. */
async function callGrpcProto(address: string, path: string, name: string): Promise<string> {
  const client = new Client(address, credentials.createInsecure());
  const toBytes = (text: string) => Buffer.from([0x0a, Buffer.byteLength(text), ...Buffer.from(text)]);
  const toText = (bytes: Buffer) => {
    assert.deepEqual([bytes[0], bytes[1]], [0x0a, bytes.length - 2]);
    return bytes.toString("utf8", 2);
  };
  try {
    return await new Promise((resolve, reject) => {
      const deadline = Date.now() + 60_000;
      client.makeUnaryRequest(path, toBytes, toText, name, { deadline }, (error, reply) => {
        if (error !== null) reject(error);
        else resolve(reply ?? "");
      });
    });
  } finally {
    client.close();
  }
}

function jsonLines(text: string): unknown[] {
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as unknown);
}
