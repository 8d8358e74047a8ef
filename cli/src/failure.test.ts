import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type ErrorCode, MicroError } from "@microts/core";
import { CommandError, failureOf } from "./failure.ts";

describe("failureOf", () => {
  const cases: readonly [ErrorCode, string, string, number, string][] = [
    [400, "x", 'malformed method name: "call"', 3, 'Method name "call" invalid format. Expecting service.endpoint'],
    [404, "go.micro.proxy", "service foo: route not found", 4, 'Service "foo" not found'],
    [501, "x", "unknown service Foo", 5, 'Service "Foo" not found'],
    [501, "x", "unknown service Foo.Bar. foo has Foo.Call", 5, 'Service method "Foo.Bar" not found'],
    [408, "x", "the deadline passed", 1, "Request timed out: the deadline passed"],
    [401, "x", "", 2, "Not authorized to perform this request"],
    [409, "x", "it is there already", 127, "It is there already"],
    [499, "x", "the call was cancelled", 130, ""],
    [
      503,
      "go.micro.client",
      "nothing listens on 127.0.0.1:8081 (connection refused)",
      4,
      "cannot reach the micro server at 127.0.0.1:8081: nothing listens there. Start one with: micro server, or choose another environment: micro env",
    ],
    [
      503,
      "helloworld",
      "nothing listens on 127.0.0.1:9 (connection refused)",
      127,
      "Nothing listens on 127.0.0.1:9 (connection refused)",
    ],
  ];
  for (const [code, id, detail, exitCode, text] of cases) {
    it(`ends with ${exitCode} for ${code} ${detail || "without words"}`, () => {
      const failure = failureOf(new MicroError(code, id, detail), false);
      assert.deepEqual([failure.exitCode, failure.text], [exitCode, text]);
    });
  }

  it("ends with 128 for errors that aren't Micro's", () => {
    assert.equal(failureOf(new TypeError("odd"), false).exitCode, 128);
  });
  it("ends with 1 for every error of a plain command", () => {
    assert.equal(failureOf(MicroError.notFound("x", "y"), true).exitCode, 1);
    assert.deepEqual(failureOf(MicroError.unauthorized("x", "wrong password"), true).text, "Wrong password");
  });
  it("ends with a command error's own code", () => {
    assert.equal(failureOf(new CommandError(5, "x"), true).exitCode, 5);
  });
});
