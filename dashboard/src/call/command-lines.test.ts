import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { describe, it } from "node:test";
import { curlLine, gatewayPath, microLine, shellQuote } from "./command-lines.ts";

describe("gatewayPath", () => {
  const rows: [service: string, endpoint: string, path: string][] = [
    ["foo", "Foo.Call", "/foo/call"],
    ["foo", "Bar.BazXyz", "/foo/bar/bazXyz"],
    ["my-blog", "MyBlog.List", "/my-blog/list"],
    ["foo.bar", "Baz.Cat", "/foo/bar/baz/cat"],
    ["v1.foo", "Foo.Bar", "/v1/foo/foo/bar"],
    ["a/b", "A.<x>", "/a%2Fb/a/%3Cx%3E"],
  ];
  for (const [service, endpoint, path] of rows) {
    it(`calls ${endpoint} of ${service} at ${path}`, () => assert.equal(gatewayPath(service, endpoint), path));
  }
});

describe("curlLine", () => {
  it("posts the JSON as the person who pastes it", () => {
    assert.equal(
      curlLine("helloworld", "Helloworld.Call", '{"name":"Jane"}', "micro"),
      `curl http://localhost:8080/helloworld/call -H "authorization: Bearer $(micro user token)" ` +
        `-H 'content-type: application/json' -d '{"name":"Jane"}'`,
    );
  });

  it("names another namespace, and doesn't buffer a stream", () => {
    const line = curlLine("clock", "Clock.Stream", "{}", "acme", true);
    assert.match(line, /^curl -N /);
    assert.match(line, /-H 'micro-namespace: acme'/);
  });
});

describe("microLine", () => {
  it("writes texts, numbers and bools as flags, nested ones joined", () => {
    const request = { name: "Jane Doe", age: 3, admin: false, address: { street: "x" } };
    const line = microLine("helloworld", "Helloworld.Call", request);
    assert.equal(line, "micro helloworld call --name='Jane Doe' --age=3 --admin=false --address_street=x");
    assert.equal(microLine("foo", "Bar.BazXyz", {}), "micro foo bar bazXyz");
  });

  it("falls back to JSON for what flags can't carry", () => {
    for (const request of [{ tags: ["a"] }, { name: "a=b" }, { name: "" }, { "a-b": 1 }, { x: null }, [1]]) {
      const line = microLine("foo", "Foo.Call", request);
      assert.equal(line, `micro call foo Foo.Call ${shellQuote(JSON.stringify(request))}`);
    }
    assert.equal(microLine("clock", "Clock.Stream", { n: 1 }, true), `micro stream clock Clock.Stream '{"n":1}'`);
    assert.match(microLine("--help", "X.Y", {}), /^micro call /);
  });
});

describe("shellQuote", () => {
  it("gives a shell exactly one argument, whatever is in it", () => {
    const words = ["", "a b", "it's", `"$HOME" \`id\` $(id)`, "a\nb", "\\", "!x", "*", "~", "ü;&|<>#", "--x=y"];
    const script = `printf '%s\\0' ${words.map(shellQuote).join(" ")}`;
    assert.deepEqual(execFileSync("sh", ["-c", script], { encoding: "utf8" }).split("\0").slice(0, -1), words);
  });
});
