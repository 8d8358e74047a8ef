import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { jsonTokens, prettyJson } from "./json-text.ts";

describe("prettyJson", () => {
  it("indents and keeps every digit", () => {
    assert.equal(
      prettyJson('{"a":9007199254740993,"b":[1.50,1e400]}'),
      '{\n  "a": 9007199254740993,\n  "b": [\n    1.50,\n    1e400\n  ]\n}',
    );
  });

  it("leaves what isn't JSON as it is", () => {
    assert.equal(prettyJson("<b>"), "<b>");
  });
});

describe("jsonTokens", () => {
  it("colours without changing a character", () => {
    const text = prettyJson('{"a\\"b":"c: \\"d\\"","n":-0.5,"t":true,"z":null,"l":["x"]}');
    const tokens = jsonTokens(text);
    assert.equal(tokens.map((token) => token.text).join(""), text);
    const coloured = tokens.filter(({ kind }) => kind !== "plain").map((token) => `${token.kind} ${token.text}`);
    assert.deepEqual(coloured, [
      'key "a\\"b"',
      'string "c: \\"d\\""',
      'key "n"',
      "number -0.5",
      'key "t"',
      "word true",
      'key "z"',
      "word null",
      'key "l"',
      'string "x"',
    ]);
  });
});
