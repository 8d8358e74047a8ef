/** The JSON types a field can have, and with them its protobuf type. */
export type Scalar =
  | "string"
  | "bool"
  | "int32"
  | "int64"
  | "uint32"
  | "uint64"
  | "float32"
  | "float64"
  | "bytes"
  /** Anything JSON can hold: `google.protobuf.Value` in binary. */
  | "any";

export type FieldType = Scalar | MessageShape;

export interface FieldShape {
  readonly name: string;
  /** The protobuf field number: 1 for the first property of the schema, and so on. */
  readonly number: number;
  readonly type: FieldType;
  readonly label: "single" | "repeated" | "map";
  /** Absent on the wire reads as the type's zero value (an empty list, an empty map) when required, as nothing otherwise. */
  readonly required: boolean;
}

/** What a message looks like: the one description behind the registry's schema, the command line's flags and the binary encoding. */
export interface MessageShape {
  readonly name: string;
  readonly fields: readonly FieldShape[];
}

type JsonSchema = Readonly<Record<string, unknown>>;

/** Nesting past this is read as `any` (the registry's schemas stop there too, wire §6). */
const maxDepth = 6;

/** The shape of a JSON Schema whose root is an object, or undefined for any other root. */
export function shapeOf(name: string, schema: JsonSchema): MessageShape | undefined {
  const type = new ShapeReader(schema).type(schema, name, 0);
  return typeof type === "string" ? undefined : type;
}

class ShapeReader {
  readonly #root: JsonSchema;

  constructor(root: JsonSchema) {
    this.#root = root;
  }

  type(given: JsonSchema, name: string, depth: number): FieldType {
    const schema = this.#resolve(given);
    switch (kindOf(schema)) {
      case "string":
        return schema["contentEncoding"] === "base64" ? "bytes" : "string";
      case "boolean":
        return "bool";
      case "integer":
        return integerType(schema);
      case "number":
        return schema["maximum"] === 3.4028234663852886e38 ? "float32" : "float64";
      case "object":
        return this.#message(schema, name, depth);
      default:
        return "any";
    }
  }

  #message(schema: JsonSchema, name: string, depth: number): FieldType {
    const properties = schema["properties"];
    if (!isRecord(properties) || depth >= maxDepth) return "any";
    const required = Array.isArray(schema["required"]) ? schema["required"] : [];
    const fields = Object.entries(properties).map(([key, property], index) =>
      this.#field(key, index + 1, isRecord(property) ? property : {}, required.includes(key), depth),
    );
    return { name, fields };
  }

  #field(name: string, number: number, given: JsonSchema, required: boolean, depth: number): FieldShape {
    const schema = this.#resolve(given);
    const typeName = capitalise(name);
    const kind = kindOf(schema);
    const field = { name, number, required: required && !isNullable(this.#deref(given)) };
    if (kind === "array" && isRecord(schema["items"])) {
      const items = this.#resolve(schema["items"]);
      const nested = kindOf(items) === "array" || isNullable(this.#deref(schema["items"]));
      return { ...field, label: "repeated", type: nested ? "any" : this.type(items, typeName, depth + 1) };
    }
    const values = schema["additionalProperties"];
    if (kind === "object" && !isRecord(schema["properties"]) && isRecord(values)) {
      const items = this.#resolve(values);
      const nested = kindOf(items) === "array" || isMap(items);
      return { ...field, label: "map", type: nested ? "any" : this.type(items, typeName, depth + 1) };
    }
    return { ...field, label: "single", type: this.type(schema, typeName, depth + 1) };
  }

  /** Follows `$ref` within the document (a JSON pointer, RFC 6901). */
  #deref(schema: JsonSchema): JsonSchema {
    const ref = schema["$ref"];
    if (typeof ref !== "string" || !ref.startsWith("#")) return schema;
    const target = decodeURIComponent(ref.slice(1))
      .split("/")
      .filter(Boolean)
      .map((key) => key.replaceAll("~1", "/").replaceAll("~0", "~"))
      .reduce<unknown>((at, key) => (isRecord(at) ? at[key] : undefined), this.#root);
    return isRecord(target) && target !== schema ? this.#deref(target) : {};
  }

  /** Follows references, and looks through "this or null". */
  #resolve(given: JsonSchema): JsonSchema {
    const schema = this.#deref(given);
    const choices = schema["anyOf"] ?? schema["oneOf"];
    if (Array.isArray(choices)) {
      const real = choices.filter((choice) => isRecord(choice) && choice["type"] !== "null");
      const [only] = real;
      return real.length === 1 && isRecord(only) ? this.#resolve(only) : {};
    }
    return schema;
  }
}

function kindOf(schema: JsonSchema): string | undefined {
  const { type } = schema;
  if (typeof type === "string") return type;
  if (Array.isArray(type)) {
    const real = type.filter((each) => each !== "null");
    return real.length === 1 ? String(real[0]) : undefined;
  }
  const constant = schema["const"] ?? (Array.isArray(schema["enum"]) ? schema["enum"][0] : undefined);
  return typeof constant === "string" ? "string" : undefined;
}

function isNullable(schema: JsonSchema): boolean {
  const choices = schema["anyOf"] ?? schema["oneOf"];
  if (Array.isArray(schema["type"])) return schema["type"].includes("null");
  return Array.isArray(choices) && choices.some((choice) => isRecord(choice) && choice["type"] === "null");
}

function isMap(schema: JsonSchema): boolean {
  return kindOf(schema) === "object" && !isRecord(schema["properties"]);
}

function integerType({ minimum, maximum }: JsonSchema): Scalar {
  const low = typeof minimum === "number" ? minimum : Number.NEGATIVE_INFINITY;
  const high = typeof maximum === "number" ? maximum : Number.POSITIVE_INFINITY;
  if (low >= -(2 ** 31) && high < 2 ** 31) return "int32";
  if (low >= 0 && high < 2 ** 32) return "uint32";
  return "int64";
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** `created_at` → `CreatedAt`. */
function capitalise(name: string): string {
  return name.replace(/(?:^|[^0-9A-Za-z]+)([0-9A-Za-z])/g, (_, first: string) => first.toUpperCase());
}
