import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Value } from "../api/contract.ts";
import { parseJson } from "../json-text.ts";
import { addItem, type Draft, type DraftFields, draftOf, type Item, withDraft } from "./draft.ts";
import { fieldOf, requestFields } from "./field.ts";
import { emptyEditor, requestIn, switched } from "./request-editor.ts";
import { parseScalar } from "./scalar.ts";
import { requestOf } from "./to-json.ts";

describe("fieldOf", () => {
  const kinds: [type: string, values: Value[], kind: string][] = [
    ["string", [], "scalar"],
    ["bool", [], "scalar"],
    ["uint64", [], "scalar"],
    ["[]uint8", [], "scalar"],
    ["[]string", [], "list"],
    ["[][]uint8", [], "list"],
    ["map[string]int32", [], "map"],
    ["map[string]Address", [], "json"],
    ["map[int32]string", [], "json"],
    ["[]Address", [value("street", "string")], "json"],
    ["Address", [value("street", "string")], "message"],
    ["Colour", [], "json"],
    ["", [], "json"],
  ];
  for (const [type, values, kind] of kinds) {
    it(`edits "${type}" with ${values.length} children as ${kind}`, () => {
      assert.equal(fieldOf(value("x", type, values)).kind, kind);
    });
  }

  it("stops at schemas that never end", () => {
    const endless: { name: string; type: string; values: Value[] } = { name: "self", type: "Self", values: [] };
    endless.values.push(endless);
    assert.ok(JSON.stringify(fieldOf(endless)).includes('"json"'));
  });

  it("leaves a request without schema to JSON", () => {
    assert.equal(requestFields(null), undefined);
    assert.equal(requestFields(value("x", "[]string")), undefined);
    assert.deepEqual(requestFields(value("Empty", "Empty")), []);
  });
});

describe("parseScalar", () => {
  const good: [Parameters<typeof parseScalar>[0], string, unknown][] = [
    ["string", " 1 ", " 1 "],
    ["bool", "true", true],
    ["bool", "false", false],
    ["int32", " -5 ", -5],
    ["int32", "+7", 7],
    ["int64", "9007199254740991", 9007199254740991],
    ["int64", "9007199254740993", "9007199254740993"],
    ["uint64", "18446744073709551615", "18446744073709551615"],
    ["float64", "1e3", 1000],
    ["float64", ".5", 0.5],
    ["float32", "NaN", "NaN"],
    ["bytes", "aGk=\n", "aGk="],
  ];
  for (const [type, text, wanted] of good) {
    it(`reads "${text}" as ${type}`, () => assert.deepEqual(parseScalar(type, text), { value: wanted }));
  }

  const bad: [Parameters<typeof parseScalar>[0], string][] = [
    ["bool", "yes"],
    ["int32", "2147483648"],
    ["int32", "1.5"],
    ["int32", ""],
    ["uint32", "-1"],
    ["int64", "9223372036854775808"],
    ["int64", "0x10"],
    ["float64", "1e999"],
    ["float32", "1e39"],
    ["float64", "one"],
    ["bytes", "a"],
    ["bytes", "???"],
  ];
  for (const [type, text] of bad) {
    it(`refuses "${text}" as ${type}`, () => assert.ok("problem" in parseScalar(type, text)));
  }
});

const person = value("Request", "Request", [
  value("name", "string"),
  value("age", "int32"),
  value("id", "int64"),
  value("active", "bool"),
  value("tags", "[]string"),
  value("scores", "[]float64"),
  value("labels", "map[string]int32"),
  value("address", "Address", [value("street", "string"), value("geo", "Geo", [value("lat", "float64")])]),
  value("friends", "[]Person", [value("name", "string")]),
]);
const fields = requestFields(person) ?? [];

describe("requestOf", () => {
  it("leaves out what is empty", () => {
    assert.deepEqual(requestOf(fields, {}), { json: {}, problems: new Map() });
    const untouched: DraftFields = {
      name: text(""),
      age: text("  "),
      tags: items(),
      address: message({ street: text("") }),
    };
    assert.deepEqual(requestOf(fields, untouched).json, {});
  });

  it("keeps types at every depth", () => {
    const drafts: DraftFields = {
      name: text("42"),
      age: text("42"),
      id: text("9007199254740993"),
      active: text("false"),
      tags: items(["", "1"], ["", ""]),
      scores: items(["", "1.5"]),
      labels: items(["a", "1"], ["", ""]),
      address: message({ geo: message({ lat: text("52.5") }) }),
      friends: text('[{"name":"Ann"}]'),
    };
    assert.deepEqual(requestOf(fields, drafts), {
      json: {
        name: "42",
        age: 42,
        id: "9007199254740993",
        active: false,
        tags: ["1", ""],
        scores: [1.5],
        labels: { a: 1 },
        address: { geo: { lat: 52.5 } },
        friends: [{ name: "Ann" }],
      },
      problems: new Map(),
    });
  });

  it("names each problem by its path", () => {
    const drafts: DraftFields = {
      age: text("old"),
      scores: items(["", "x"], ["", ""]),
      labels: items(["a", "1"], ["a", "2"], ["", "3"]),
      address: message({ geo: message({ lat: text("north") }) }),
      friends: text("[oops"),
    };
    const { problems } = requestOf(fields, drafts);
    assert.deepEqual(
      [...problems.keys()],
      ["age", "scores.0", "scores.1", "labels.1", "labels.2", "address.geo.lat", "friends"],
    );
  });

  it("treats __proto__ and constructor as names like others", () => {
    const odd = requestFields(
      value("R", "R", [value("__proto__", "string"), value("constructor", "C", [value("a", "string")])]),
    );
    const drafts = withDraft(withDraft({}, "__proto__", text("x")), "constructor", message({ a: text("y") }));
    const { json } = requestOf(odd ?? [], drafts);
    assert.equal(JSON.stringify(json), '{"__proto__":"x","constructor":{"a":"y"}}');
    assert.deepEqual(draftOf({ name: "constructor", type: "string", kind: "scalar", scalar: "string" }, {}), text(""));
  });

  it("forgets a draft whose field has become something else", () => {
    const [field] = requestFields(value("R", "R", [value("name", "[]string")])) ?? [];
    assert.ok(field);
    assert.deepEqual(requestOf([field], { name: text("x") }).json, {});
  });
});

describe("switching between form and JSON", () => {
  const toForm = (json: string) => switched({ isJson: true, drafts: {}, text: json }, fields);

  it("comes back to the same request", () => {
    const request =
      '{"name":"Jane","age":3,"id":"9007199254740993","active":false,"tags":["a",""],"scores":[0.5],' +
      '"labels":{"x":1},"address":{"street":"s","geo":{"lat":1}},"friends":[{"name":"Ann"}]}';
    const form = toForm(request);
    assert.equal(form.isJson, false);
    assert.equal(requestIn(form, fields).text, request);
    const again = switched(form, fields);
    assert.deepEqual(parseJson(again.text), parseJson(request));
  });

  const refused: [json: string, words: RegExp][] = [
    ['{"nickname":"J"}', /nickname/],
    ['{"address":{"geo":{"alt":1}}}', /address\.geo\.alt/],
    ['{"name":""}', /name/],
    ['{"name":null}', /name/],
    ['{"tags":[["a"]]}', /tags/],
    ["[1]", /isn't an object/],
    ["{", /isn't valid/],
  ];
  for (const [json, words] of refused) {
    it(`refuses to lose anything of ${json}`, () => {
      const { isJson, refusal, text: kept } = toForm(json);
      assert.equal(isJson, true);
      assert.match(refusal ?? "", words);
      assert.equal(kept, json);
    });
  }

  it("keeps the digits of numbers typed as JSON", () => {
    const editor = { ...emptyEditor, isJson: true, text: '{"id": 9007199254740993, "x": 1.10}' };
    assert.equal(requestIn(editor, fields).text, '{"id":9007199254740993,"x":1.10}');
  });

  it("sends an empty text as an empty object, and a broken one not at all", () => {
    assert.deepEqual(requestIn(emptyEditor, undefined), { json: {}, text: "{}", problems: new Map() });
    assert.equal(requestIn({ ...emptyEditor, text: "{" }, undefined).problems.size, 1);
  });
});

function value(name: string, type: string, values: readonly Value[] = []): Value {
  return { name, type, values };
}

function text(typed: string): Draft {
  return { kind: "text", text: typed };
}

function items(...rows: [key: string, text: string][]): Draft {
  return { kind: "items", items: rows.reduce<readonly Item[]>((all, [key, typed]) => addItem(all, key, typed), []) };
}

function message(inner: DraftFields): Draft {
  return { kind: "message", fields: inner };
}
