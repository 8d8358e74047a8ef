import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { MicroError } from "@microts/core";
import fc from "fast-check";
import type { Value } from "../registry.ts";
import { buildRequest } from "./request.ts";

const field = (name: string, type: string, values: readonly Value[] = []): Value => ({ name, type, values });
const schema = field("Request", "Request", [
  field("name", "string"),
  field("user_email", "string"),
  field("firstName", "string"),
  field("on", "bool"),
  field("i32", "int32"),
  field("i64", "int64"),
  field("u32", "uint32"),
  field("u64", "uint64"),
  field("f32", "float32"),
  field("f64", "float64"),
  field("data", "[]uint8"),
  field("color", "Color"),
  field("any", "google.protobuf.Value"),
  field("tags", "[]string"),
  field("sizes", "[]int64"),
  field("flags", "[]bool"),
  field("blobs", "[][]uint8"),
  field("friends", "[]Person"),
  field("labels", "map[string]string"),
  field("counts", "map[string]int32"),
  field("options", "Options", [field("ttl", "int64"), field("owner", "Owner", [field("fullName", "string")])]),
  field("a_b", "string"),
  field("a", "A", [field("b", "string")]),
]);

let folder = "";
before(async () => {
  folder = await mkdtemp(join(tmpdir(), "micro-flags-"));
  await writeFile(join(folder, "data.bin"), Buffer.from([0, 255, 10]));
});
after(() => rm(folder, { recursive: true, force: true }));

const build = (...args: string[]) => buildRequest(args, { command: "micro svc call", schema, folder });

describe("buildRequest", () => {
  const accepted: readonly [string[], object][] = [
    [[], {}],
    [["--name=Jane"], { name: "Jane" }],
    [["--name", "Jane"], { name: "Jane" }],
    [["-name=Jane"], { name: "Jane" }],
    [["--name="], { name: "" }],
    [["--name=a=b=c"], { name: "a=b=c" }],
    [["--name", "-5"], { name: "-5" }],
    [["--name=--x"], { name: "--x" }],
    [["--name=1"], { name: "1" }],
    [["--user_email=x", "--first-name=y"], { user_email: "x", firstName: "y" }],
    [["--user-email=x", "--firstName=y"], { user_email: "x", firstName: "y" }],
    [["--userEmail=x", "--first_name=y"], { user_email: "x", firstName: "y" }],
    [["--on"], { on: true }],
    [["--on=false"], { on: false }],
    [["--on", "false"], { on: false }],
    [["--on=T"], { on: true }],
    [["--on="], { on: true }],
    [["--on", "--name=x"], { on: true, name: "x" }],
    [["--i32=-7"], { i32: -7 }],
    [["--i32", "-7"], { i32: -7 }],
    [["--i32=0x10"], { i32: 16 }],
    [["--i32=0b11"], { i32: 3 }],
    [["--i32=0o17"], { i32: 15 }],
    [["--i32=1_000"], { i32: 1000 }],
    [["--i64=9007199254740991"], { i64: 9007199254740991 }],
    [["--i64=9223372036854775807"], { i64: "9223372036854775807" }],
    [["--i64=-9223372036854775808"], { i64: "-9223372036854775808" }],
    [["--u32=4294967295"], { u32: 4294967295 }],
    [["--u64=18446744073709551615"], { u64: "18446744073709551615" }],
    [["--f32=1.5"], { f32: 1.5 }],
    [["--f64=-1e-3"], { f64: -0.001 }],
    [["--f64=.5"], { f64: 0.5 }],
    [["--f64=NaN"], { f64: "NaN" }],
    [["--f64=-inf"], { f64: "-Infinity" }],
    [["--data=aGk="], { data: "aGk=" }],
    [["--data=aGk"], { data: "aGk=" }],
    [["--data=_-8"], { data: "/+8=" }],
    [["--data=@data.bin"], { data: "AP8K" }],
    [["--color=RED"], { color: "RED" }],
    [["--color=2"], { color: 2 }],
    [['--any={"x":[1]}'], { any: { x: [1] } }],
    [["--any=word"], { any: "word" }],
    [["--tags=a,b"], { tags: ["a", "b"] }],
    [["--tags=a", "--tags=b,c"], { tags: ["a", "b,c"] }],
    [['--tags=["a,b"]'], { tags: ["a,b"] }],
    [["--tags="], { tags: [] }],
    [["--sizes=1,2"], { sizes: [1, 2] }],
    [["--sizes=1", "--sizes=0x2"], { sizes: [1, 2] }],
    [["--flags=true,false"], { flags: [true, false] }],
    [["--blobs=aGk=", "--blobs=@data.bin"], { blobs: ["aGk=", "AP8K"] }],
    [['--friends={"name":"a"}', '--friends={"name":"b"}'], { friends: [{ name: "a" }, { name: "b" }] }],
    [['--friends=[{"name":"a"}]'], { friends: [{ name: "a" }] }],
    [["--labels=k=v", "--labels=x=y=z"], { labels: { k: "v", x: "y=z" } }],
    [['--labels={"k":"v"}'], { labels: { k: "v" } }],
    [["--counts=a=1"], { counts: { a: 1 } }],
    [["--options_ttl=5"], { options: { ttl: 5 } }],
    [["--options-ttl=5"], { options: { ttl: 5 } }],
    [["--options.ttl=5"], { options: { ttl: 5 } }],
    [["--options_owner_full-name=Bo", "--options_ttl=1"], { options: { owner: { fullName: "Bo" }, ttl: 1 } }],
    [['--options={"ttl":5}'], { options: { ttl: 5 } }],
    [['--options={"ttl":5}', "--options_owner_fullName=Bo"], { options: { ttl: 5, owner: { fullName: "Bo" } } }],
    [['{"name":"Jane","i32":1}'], { name: "Jane", i32: 1 }],
    [['{"name":"Jane"}', "--name=Jo"], { name: "Jo" }],
    [["--a.b=x"], { a: { b: "x" } }],
    [["--a_b=x"], { a_b: "x" }],
  ];
  for (const [args, request] of accepted) {
    it(`makes ${JSON.stringify(request)} of ${args.join(" ") || "nothing"}`, async () => {
      assert.deepEqual(await build(...args), request);
    });
  }

  const refused: readonly [string[], RegExp][] = [
    [
      ["--nme=x"],
      /Unknown flag: --nme\. Did you mean --name\? micro svc call takes: --name string, --user_email string/,
    ],
    [["--name"], /--name needs a value \(string\)/],
    [["--name", "--on"], /--name needs a value/],
    [["--name=a", "--name=b"], /--name was given 2 times/],
    [["--i32=abc"], /--i32 wants int32 .*"abc"/],
    [["--i32=2147483648"], /--i32 wants int32 \(-2147483648 to 2147483647\), not "2147483648"/],
    [["--i32=1.5"], /--i32 wants int32/],
    [["--i32="], /--i32 wants int32/],
    [["--u32=-1"], /--u32 wants uint32/],
    [["--i64=9223372036854775808"], /--i64 wants int64/],
    [["--f64=1,5"], /--f64 wants float64/],
    [["--on=maybe"], /--on wants bool, not "maybe": write true or false/],
    [["--data=%%%"], /--data wants bytes: base64, or @file/],
    [["--data=@nothing"], /--data: cannot read .*nothing/],
    [["--sizes=1,x"], /--sizes wants int64 .*"x"/],
    [["--sizes=[1"], /--sizes wants \[\]int64/],
    [["--labels=x"], /--labels wants map\[string\]string, not "x": write key=value or a JSON object/],
    [["--friends={bad"], /--friends wants \[\]Person/],
    [["{bad"], /not valid JSON/],
    [["word"], /has no use for "word"/],
    [["--aB=x"], /--aB could be a_b or a\.b/],
  ];
  for (const [args, message] of refused) {
    it(`refuses ${args.join(" ")}`, async () => {
      await assert.rejects(build(...args), (error) => error instanceof MicroError && message.test(error.detail));
    });
  }

  it("takes any flag when there is no schema", async () => {
    const request = await buildRequest(["--x=1", "--name", "Jane", "--on"], {
      command: "micro svc call",
      schema: undefined,
      folder,
    });
    assert.deepEqual(request, { x: 1, name: "Jane", on: true });
  });

  it("says so when an endpoint takes no flags", async () => {
    const empty = buildRequest(["--x=1"], { command: "micro svc ping", schema: field("R", "R"), folder });
    await assert.rejects(empty, /Unknown flag: --x\. micro svc ping takes no flags/);
  });

  it("treats __proto__ as a name like any other", async () => {
    const odd = field("R", "R", [field("__proto__", "P", [field("x", "string")])]);
    const request = await buildRequest(["--__proto__.x=1"], { command: "c", schema: odd, folder }).catch(
      (error) => error,
    );
    assert.equal(({} as { x?: string }).x, undefined);
    assert.ok(request instanceof MicroError || Object.hasOwn(request, "__proto__"));
  });

  it("keeps every text, whatever is in it", async () => {
    await fc.assert(
      fc.asyncProperty(fc.string(), fc.string(), async (name, email) => {
        assert.deepEqual(await build(`--name=${name}`, `--user_email=${email}`), { name, user_email: email });
      }),
    );
  });

  it("keeps every integer of its type", async () => {
    await fc.assert(
      fc.asyncProperty(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), async (value) => {
        const { i64 } = await build(`--i64=${value}`);
        assert.equal(BigInt(i64 as number | string), value);
      }),
    );
  });

  it("answers anything at all with a request or a usage error", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.oneof(fc.string(), fc.constantFrom("--", "-", "--name", "--i32", "{}", "[]", "--options", "@"))),
        async (args) => {
          await build(...args).catch((error) => assert.ok(error instanceof MicroError, String(error)));
        },
      ),
    );
  });
});
