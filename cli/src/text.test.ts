import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { formatElapsed, parseDuration } from "./duration.ts";
import { compactJson, indentJson } from "./json.ts";
import { nearest } from "./nearest.ts";
import { spaceTable, tabTable } from "./table.ts";

describe("durations", () => {
  const durations: readonly [string, number | undefined][] = [
    ["10s", 10_000],
    ["1h30m", 5_400_000],
    ["1.5s", 1500],
    ["500ms", 500],
    ["1us", 0.001],
    ["0", 0],
    ["10", undefined],
    ["", undefined],
    ["s", undefined],
    ["-1s", undefined],
    ["1d", undefined],
    ["1h 30m", undefined],
  ];
  for (const [text, ms] of durations) it(`read "${text}" as Go does`, () => assert.equal(parseDuration(text), ms));

  const elapsed: readonly [number, string][] = [
    [0, "0s"],
    [999, "0s"],
    [4_000, "4s"],
    [60_000, "1m0s"],
    [93_784_000, "1d2h3m4s"],
    [86_400_000, "1d0h0m0s"],
    [-5, "0s"],
  ];
  for (const [ms, text] of elapsed) it(`write ${ms} ms as ${text}`, () => assert.equal(formatElapsed(ms), text));

  it("read what they wrote", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 86_399 }), (seconds) => {
        assert.equal(parseDuration(formatElapsed(seconds * 1000)), seconds * 1000);
      }),
    );
  });
});

describe("nearest", () => {
  const commands = ["status", "stream", "store", "services", "server"];
  it("finds mistyped names", () => {
    assert.deepEqual(nearest("statsu", commands), ["status"]);
    assert.equal(nearest("servces", commands)[0], "services");
    assert.deepEqual(nearest("STORE", commands)[0], "store");
  });
  it("finds the beginnings of names", () => assert.deepEqual(nearest("serv", commands), ["server", "services"]));
  it("finds nothing far away", () => assert.deepEqual(nearest("helloworld", commands), []));
});

describe("tables", () => {
  it("align with tabs at stops of eight", () => {
    const rows = [
      ["NAME", "VERSION"],
      ["helloworld", "latest"],
    ];
    assert.equal(tabTable(rows), "NAME\t\tVERSION\nhelloworld\tlatest\n");
    assert.equal(tabTable([["a", "b"]], 1), "a\t\tb\n");
    assert.equal(
      tabTable([
        ["1234567", "b"],
        ["12345678", "c"],
      ]),
      "1234567\t\tb\n12345678\tc\n",
    );
  });
  it("align with spaces and leave none at the end", () => {
    assert.equal(
      spaceTable([
        ["a", ""],
        ["bcd", "e"],
      ]),
      "a\nbcd  e\n",
    );
  });
});

describe("JSON replies", () => {
  it("keep numbers digit by digit", () => {
    const text = '{"a":12345678901234567890,"b":1.10,"c":1e3}';
    assert.equal(compactJson(Buffer.from(text)), text);
  });
  it("keep text, order and nesting", () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 3 }), (value) => {
        const written = indentJson(Buffer.from(JSON.stringify(value)));
        assert.deepEqual(JSON.parse(written ?? ""), JSON.parse(JSON.stringify(value)));
      }),
    );
  });
  it("are set out with tabs", () => assert.equal(indentJson(Buffer.from('{"msg":"Hi"}')), '{\n\t"msg": "Hi"\n}'));
  it("are empty objects when they are empty", () => assert.equal(indentJson(new Uint8Array()), "{}"));
  it("may be something else", () => assert.equal(indentJson(Buffer.from("<html>")), undefined));
});
