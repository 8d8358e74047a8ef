type JsonSchema = Readonly<Record<string, unknown>>;

/** What a schema wants at one place. */
export interface ExpectedType {
  /** Such as `a number`, or `"a" or "b"`. */
  readonly text: string;
  /** The JSON kinds it takes: `string`, `number`, `boolean`, `null`, `array`, `object`. */
  readonly kinds: ReadonlySet<string>;
  /** What stands for it in a command. */
  readonly placeholder: string;
}

const types: Readonly<Record<string, ExpectedType>> = {
  string: { text: "a text", kinds: new Set(["string"]), placeholder: "<text>" },
  number: { text: "a number", kinds: new Set(["number"]), placeholder: "<number>" },
  integer: { text: "a whole number", kinds: new Set(["number"]), placeholder: "<number>" },
  boolean: { text: "true or false", kinds: new Set(["boolean"]), placeholder: "<true|false>" },
  null: { text: "null", kinds: new Set(["null"]), placeholder: "null" },
  array: { text: "a list", kinds: new Set(["array"]), placeholder: "'[…]'" },
  object: { text: "an object", kinds: new Set(["object"]), placeholder: "'{…}'" },
};

/** What a JSON Schema says about the value at a path of keys, or undefined when it says nothing. */
export function expectedAt(root: JsonSchema, keys: readonly string[]): ExpectedType | undefined {
  const found = schemaAt(root, root, keys);
  return found === undefined ? undefined : expectedOf(root, found);
}

function schemaAt(root: JsonSchema, given: JsonSchema, keys: readonly string[]): JsonSchema | undefined {
  const schema = resolved(root, given);
  const [key, ...rest] = keys;
  if (key === undefined) return schema;
  const properties = object(schema["properties"]);
  const next =
    (properties && Object.hasOwn(properties, key) ? object(properties[key]) : undefined) ??
    object(schema["additionalProperties"]);
  if (next !== undefined) return schemaAt(root, next, rest);
  for (const branch of branchesOf(schema)) {
    const found = schemaAt(root, branch, keys);
    if (found !== undefined) return found;
  }
  return undefined;
}

function expectedOf(root: JsonSchema, given: JsonSchema): ExpectedType | undefined {
  const schema = resolved(root, given);
  const values = "const" in schema ? [schema["const"]] : schema["enum"];
  if (Array.isArray(values)) return oneOf(values);
  const { type } = schema;
  const named = (Array.isArray(type) ? type : [type]).map((name) => types[String(name)]);
  const parts = type === undefined ? branchesOf(schema).map((branch) => expectedOf(root, branch)) : named;
  const known = parts.filter((part) => part !== undefined);
  if (known.length === 0 || known.length < parts.length) return undefined;
  return {
    text: [...new Set(known.map(({ text }) => text))].join(" or "),
    kinds: new Set(known.flatMap(({ kinds }) => [...kinds])),
    placeholder: known[0]?.placeholder ?? "<value>",
  };
}

function oneOf(values: readonly unknown[]): ExpectedType {
  const texts = values.map((value) => JSON.stringify(value));
  const kinds = values.map((value) => (value === null ? "null" : Array.isArray(value) ? "array" : typeof value));
  return {
    text: texts.length > 1 ? `${texts.slice(0, -1).join(", ")} or ${texts.at(-1)}` : String(texts[0]),
    kinds: new Set(kinds),
    placeholder: `<${values.map(String).join("|")}>`,
  };
}

function branchesOf(schema: JsonSchema): JsonSchema[] {
  return ["anyOf", "oneOf", "allOf"].flatMap((name) => {
    const branches = schema[name];
    return Array.isArray(branches) ? branches.map(object).filter((branch) => branch !== undefined) : [];
  });
}

/** Follows references within the schema, a few of them: they may go in a circle. */
function resolved(root: JsonSchema, given: JsonSchema): JsonSchema {
  let schema = given;
  for (let turn = 0; turn < 10; turn++) {
    const { $ref } = schema;
    if (typeof $ref !== "string" || !$ref.startsWith("#")) return schema;
    let target: unknown = root;
    for (const part of $ref.slice(1).split("/").filter(Boolean))
      target = object(target)?.[part.replaceAll("~1", "/").replaceAll("~0", "~")];
    schema = object(target) ?? {};
  }
  return {};
}

function object(value: unknown): JsonSchema | undefined {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as JsonSchema) : undefined;
}
