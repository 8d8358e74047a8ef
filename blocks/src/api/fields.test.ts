import { deepEqual, equal, throws } from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import type { Value } from "../registry/index.ts";
import { addUrlencoded, Fields } from "./fields.ts";

const field = (name: string, type: string, values: readonly Value[] = []): Value => ({ name, type, values });
const owner = [field("name", "string"), field("age", "int32")];
const schema = field("Request", "Request", [
  field("name", "string"),
  field("age", "int32"),
  field("big", "int64"),
  field("ok", "bool"),
  field("ratio", "float64"),
  field("data", "[]uint8"),
  field("tags", "[]string"),
  field("sizes", "[]int32"),
  field("owner", "Owner", owner),
  field("labels", "map[string]string"),
  field("counts", "map[string]int32"),
  field("friends", "[]Owner", owner),
]);

function json(query: string, of?: Value, untyped: "json" | "text" = "json"): string {
  const fields = new Fields(of);
  addUrlencoded(fields, query, untyped);
  return Buffer.from(fields.toBytes()).toString();
}

describe("a query without a schema", () => {
  for (const [query, expected] of [
    ["name=Jane", '{"name":"Jane"}'],
    ["name=Jane+Doe&x=%C3%A9", '{"name":"Jane Doe","x":"é"}'],
    ["a=1&b=-1.5&c=1e3&d=0", '{"a":1,"b":-1.5,"c":1e3,"d":0}'],
    ["a=12345678901234567890", '{"a":12345678901234567890}'],
    ["a=0.1000", '{"a":0.1000}'],
    ["a=1e999&b=-1e999", '{"a":"1e999","b":"-1e999"}'],
    ["a=007&b=+1&c=0x1&d=1_000&e=.5&f=NaN", '{"a":"007","b":" 1","c":"0x1","d":"1_000","e":".5","f":"NaN"}'],
    ["a=true&b=false&c=null&d=True", '{"a":true,"b":false,"c":null,"d":"True"}'],
    ['a="1"&b="x', '{"a":"1","b":"\\"x"}'],
    ['a=[1,2]&b={"c":[true]}&d=[1', '{"a":[1,2],"b":{"c":[true]},"d":"[1"}'],
    ['a={"n":12345678901234567890}', '{"a":{"n":12345678901234567890}}'],
    ["a[b]=1", '{"a":{"b":1}}'],
    ["a.b=1&a.c=2", '{"a":{"b":1,"c":2}}'],
    ["a[b].c[d]=x", '{"a":{"b":{"c":{"d":"x"}}}}'],
    ["a[]=1&a[]=x", '{"a":[1,"x"]}'],
    ["a[][b]=1&a[][b]=2", '{"a":[{"b":1},{"b":2}]}'],
    ["a=1&a=2", '{"a":2}'],
    ["a=1&a.b=2", '{"a":{"b":2}}'],
    ["a", '{"a":""}'],
    ["a=", '{"a":""}'],
    ["&&a=1&", '{"a":1}'],
    ["a=b=c", '{"a":"b=c"}'],
    ["a[=1&]=2&a[b=3&[c]=4", '{"a[":1,"]":2,"a[b":3,"[c]":4}'],
    [".=1&..=2&a.=3", '{".":1,"..":2,"a.":3}'],
  ] as const) {
    it(`${query} is ${expected}`, () => equal(json(query), expected));
  }
});

describe("a query with a schema", () => {
  for (const [query, expected] of [
    ["name=123", '{"name":"123"}'],
    ["name=true&name=null", '{"name":"null"}'],
    ['name="quoted"', '{"name":"\\"quoted\\""}'],
    ["age=41&ratio=0.5", '{"age":41,"ratio":0.5}'],
    ["age=old", '{"age":"old"}'],
    ["ok=true", '{"ok":true}'],
    ["ok=0", '{"ok":false}'],
    ["ok=maybe", '{"ok":"maybe"}'],
    ["big=5", '{"big":5}'],
    ["big=9007199254740993", '{"big":"9007199254740993"}'],
    ["data=MTIz", '{"data":"MTIz"}'],
    ["tags=1", '{"tags":["1"]}'],
    ["tags=a&tags=b", '{"tags":["a","b"]}'],
    ["tags[]=a&tags[]=2", '{"tags":["a","2"]}'],
    ['tags=["x","y"]', '{"tags":["x","y"]}'],
    ["sizes=1&sizes=2", '{"sizes":[1,2]}'],
    ["owner.name=5&owner.age=5", '{"owner":{"name":"5","age":5}}'],
    ['owner={"name":"J"}', '{"owner":{"name":"J"}}'],
    ["labels[a]=1&labels.b=2", '{"labels":{"a":"1","b":"2"}}'],
    ["counts[a]=1", '{"counts":{"a":1}}'],
    ["friends[0].name=1&friends[0].age=2&friends[1].name=3", '{"friends":[{"name":"1","age":2},{"name":"3"}]}'],
    ["unknown=1", '{"unknown":1}'],
  ] as const) {
    it(`${query} is ${expected}`, () => equal(json(query, schema), expected));
  }
});

describe("a form", () => {
  it("without a schema keeps every value text and joins repeats", () => {
    equal(json("a=1&a=true&b=2", undefined, "text"), '{"a":"1,true","b":"2"}');
  });
  it("with a schema has its types", () =>
    equal(json("name=1&age=2&tags=x", schema, "text"), '{"name":"1","age":2,"tags":["x"]}'));
});

describe("fields that mean harm (GW-05)", () => {
  for (const query of [
    "__proto__=1",
    "__proto__[polluted]=1",
    "__proto__.polluted=1",
    "constructor.prototype.polluted=1",
    "constructor[prototype][polluted]=1",
    "a.__proto__.polluted=1",
    "a[__proto__][polluted]=1",
    'a={"b":1}&a.__proto__.polluted=1',
    'a={"b":1}&a.constructor.prototype.polluted=1',
    "a=[1]&a.__proto__.polluted=1",
    "a[]=1&a.__proto__.polluted=1",
    "a[]=1&a.length=9",
    "a[]=1&a.push=9",
    "owner.__proto__.polluted=1",
    "labels[__proto__]=1",
    "labels.__proto__.polluted=1",
    "toString=1&hasOwnProperty=2",
    'a={"__proto__":{"polluted":1}}&a.b=1',
  ]) {
    it(`${query} is data or a 400`, () => {
      for (const shape of [undefined, schema]) {
        try {
          const text = json(query, shape);
          deepEqual(typeof JSON.parse(text), "object");
        } catch (error) {
          equal((error as { code?: number }).code, 400);
        }
        equal(({} as { polluted?: unknown }).polluted, undefined);
        equal(([] as { polluted?: unknown }).polluted, undefined);
      }
    });
  }

  it("stays data under its own name", () => equal(json("__proto__[x]=1"), '{"__proto__":{"x":1}}'));
});

describe("limits of fields", () => {
  const refused = (query: string) => throws(() => json(query), { code: 400 });
  it("refuses a thousand and one fields", () => refused("a=1&".repeat(1001)));
  it("refuses names of more than 32 parts", () => refused(`a${"[b]".repeat(40)}=1`));
  it("refuses gaps in lists", () => throws(() => json("friends[5].name=1", schema), { code: 400 }));
  it("refuses malformed percent-encoding", () => refused("a=%zz"));
  it("refuses JSON nested deeper than 100 levels", () => refused(`a=${"[".repeat(200)}${"]".repeat(200)}`));

  it("makes an object of any query, or says 400 (GW-06)", () => {
    const text = fc
      .array(
        fc.oneof(fc.constantFrom("a", "[", "]", ".", "=", "&", "%5B", "__proto__", "{", '"', "1", "[]"), fc.string()),
      )
      .map((all) => all.join(""));
    fc.assert(
      fc.property(text, fc.boolean(), (query, isTyped) => {
        try {
          equal(typeof JSON.parse(json(query, isTyped ? schema : undefined)), "object");
        } catch (error) {
          equal((error as { code?: number }).code, 400);
        }
      }),
    );
  });
});
