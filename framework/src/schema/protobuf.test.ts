// Our binary form against protobuf-es: every shape is also made a real message type, and each side reads what the other wrote.
import { deepEqual, equal, ok, throws } from "node:assert/strict";
import { describe, it } from "node:test";
import {
  create,
  createFileRegistry,
  type DescMessage,
  fromBinary,
  fromJson,
  type JsonValue,
  toBinary,
  toJson,
} from "@bufbuild/protobuf";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import {
  type DescriptorProto,
  DescriptorProtoSchema,
  FieldDescriptorProto_Label,
  FieldDescriptorProto_Type,
  FieldDescriptorProtoSchema,
  FileDescriptorProtoSchema,
  FileDescriptorSetSchema,
  file_google_protobuf_struct,
} from "@bufbuild/protobuf/wkt";
import fc from "fast-check";
import { z } from "zod";
import { decodeShape, encodeShape } from "./protobuf.ts";
import { shapeOfSchema } from "./schema.ts";
import type { FieldShape, FieldType, MessageShape, Scalar } from "./shape.ts";

const types: Readonly<Record<Scalar, FieldDescriptorProto_Type>> = {
  string: FieldDescriptorProto_Type.STRING,
  bool: FieldDescriptorProto_Type.BOOL,
  int32: FieldDescriptorProto_Type.INT32,
  int64: FieldDescriptorProto_Type.INT64,
  uint32: FieldDescriptorProto_Type.UINT32,
  uint64: FieldDescriptorProto_Type.UINT64,
  float32: FieldDescriptorProto_Type.FLOAT,
  float64: FieldDescriptorProto_Type.DOUBLE,
  bytes: FieldDescriptorProto_Type.BYTES,
  any: FieldDescriptorProto_Type.MESSAGE,
};

/** The message type that a .proto file with the same fields would define. Every single field has presence, so that absence shows. */
function descriptorOf(shape: MessageShape): DescMessage {
  const file = create(FileDescriptorProtoSchema, {
    name: "shape.proto",
    syntax: "proto3",
    dependency: ["google/protobuf/struct.proto"],
    messageType: [messageProto(shape, "Root", ".Root")],
  });
  const set = create(FileDescriptorSetSchema, { file: [file_google_protobuf_struct.proto, file] });
  const message = createFileRegistry(set).getMessage("Root");
  ok(message);
  return message;
}

function messageProto(shape: MessageShape, name: string, path: string): DescriptorProto {
  const message = create(DescriptorProtoSchema, { name });
  for (const { name, number, type, label } of shape.fields) {
    const field = create(FieldDescriptorProtoSchema, {
      name,
      number,
      jsonName: name,
      label: FieldDescriptorProto_Label.OPTIONAL,
    });
    const set = (target: typeof field, of: FieldType, nested: string) => {
      target.type = typeof of === "string" ? types[of] : FieldDescriptorProto_Type.MESSAGE;
      if (of === "any") target.typeName = ".google.protobuf.Value";
      if (typeof of === "string") return;
      target.typeName = `${path}.${nested}`;
      message.nestedType.push(messageProto(of, nested, `${path}.${nested}`));
    };
    if (label === "map") {
      const part = (name: string, number: number) =>
        create(FieldDescriptorProtoSchema, {
          name,
          number,
          jsonName: name,
          label: FieldDescriptorProto_Label.OPTIONAL,
        });
      const [key, value] = [part("key", 1), part("value", 2)];
      key.type = FieldDescriptorProto_Type.STRING;
      set(value, type, `V${number}`);
      const entry = `${name.replaceAll("_", "")[0]?.toUpperCase()}${name.replaceAll("_", "").slice(1)}Entry`;
      message.nestedType.push(
        create(DescriptorProtoSchema, { name: entry, field: [key, value], options: { mapEntry: true } }),
      );
      field.label = FieldDescriptorProto_Label.REPEATED;
      field.type = FieldDescriptorProto_Type.MESSAGE;
      field.typeName = `${path}.${entry}`;
    } else {
      set(field, type, `M${number}`);
      if (label === "repeated") field.label = FieldDescriptorProto_Label.REPEATED;
      else if (typeof type === "string" && type !== "any") {
        field.proto3Optional = true;
        field.oneofIndex = message.oneofDecl.length;
        message.oneofDecl.push({ $typeName: "google.protobuf.OneofDescriptorProto", name: `_${name}` });
      }
    }
    message.field.push(field);
  }
  return message;
}

const scalars: { readonly [K in Scalar]: fc.Arbitrary<unknown> } = {
  string: fc.string({ unit: "grapheme" }),
  bool: fc.boolean(),
  int32: fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
  uint32: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
  int64: fc.oneof(fc.maxSafeInteger(), fc.bigInt({ min: 2n ** 53n, max: 2n ** 63n - 1n }).map(String)),
  uint64: fc.oneof(fc.maxSafeNat(), fc.bigInt({ min: 2n ** 53n, max: 2n ** 64n - 1n }).map(String)),
  float32: fc.float({ noNaN: true, noDefaultInfinity: true }),
  float64: fc.double({ noNaN: true, noDefaultInfinity: true }),
  bytes: fc.uint8Array().map((bytes) => Buffer.from(bytes).toString("base64")),
  // A null alone is the same as no field.
  any: fc.jsonValue({ maxDepth: 2 }).filter((value) => value !== null),
};

const fieldNames = ["alpha", "beta_b", "gammaG", "delta4"];

/** A shape with a value of it. Every field is optional: what is absent stays absent. */
function shaped(depth: number): fc.Arbitrary<{ shape: MessageShape; value: Record<string, unknown> }> {
  const scalar = fc
    .constantFrom(...(Object.keys(scalars) as Scalar[]))
    .map((type) => ({ type: type as FieldType, value: scalars[type] }));
  const message = () =>
    shaped(depth - 1).map(({ shape, value }) => ({ type: shape as FieldType, value: fc.constant(value as unknown) }));
  const type = depth === 0 ? scalar : fc.oneof({ weight: 4, arbitrary: scalar }, { weight: 1, arbitrary: message() });
  const field = fc
    .record({ type, label: fc.constantFrom("single" as const, "repeated" as const, "map" as const) })
    .chain(({ type: { type, value }, label }) => {
      const values = {
        single: fc.option(value, { nil: undefined }),
        repeated: fc.array(value, { minLength: 1, maxLength: 4 }),
        map: fc.dictionary(fc.string(), value, { minKeys: 1, maxKeys: 3, noNullPrototype: true }),
      }[label];
      return fc.record({ type: fc.constant(type), label: fc.constant(label), value: values as fc.Arbitrary<unknown> });
    });
  return fc.array(field, { maxLength: fieldNames.length }).map((fields) => ({
    shape: {
      name: "Shape",
      fields: fields.map(
        ({ type, label }, index): FieldShape => ({
          name: fieldNames[index] ?? "",
          number: index + 1,
          type,
          label,
          required: false,
        }),
      ),
    },
    value: Object.fromEntries(
      fields.map(({ value }, index) => [fieldNames[index], value]).filter(([, value]) => value !== undefined),
    ),
  }));
}

/** Without the differences of prototypes, and of -0 in JSON numbers. */
const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

describe("the binary form of a shape", () => {
  it("is read by protobuf as the message that a .proto file would define", () => {
    fc.assert(
      fc.property(shaped(2), ({ shape, value }) => {
        const descriptor = descriptorOf(shape);
        const message = fromBinary(descriptor, encodeShape(shape, value));
        const expected = fromJson(descriptor, plain(value) as JsonValue);
        deepEqual(plain(toJson(descriptor, message)), plain(toJson(descriptor, expected)));
        equal(message.$unknown, undefined);
      }),
    );
  });

  it("is read from what protobuf wrote", () => {
    fc.assert(
      fc.property(shaped(2), ({ shape, value }) => {
        const descriptor = descriptorOf(shape);
        const bytes = toBinary(descriptor, fromJson(descriptor, plain(value) as JsonValue));
        deepEqual(plain(decodeShape(shape, bytes, "id")), plain(value));
      }),
    );
  });

  it("is read as it was written", () => {
    fc.assert(
      fc.property(shaped(3), ({ shape, value }) => {
        deepEqual(plain(decodeShape(shape, encodeShape(shape, value), "id")), plain(value));
      }),
    );
  });

  it("keeps the sign of -0, which JSON text doesn't have", () => {
    const values = { alpha: -0, beta_b: [-0, 0] };
    for (const type of ["float32", "float64"] as const) {
      const field = { type, required: false };
      const shape: MessageShape = {
        name: "Zeros",
        fields: [
          { ...field, name: "alpha", number: 1, label: "single" },
          { ...field, name: "beta_b", number: 2, label: "repeated" },
        ],
      };
      const bytes = encodeShape(shape, values);
      deepEqual({ ...decodeShape(shape, bytes, "id") }, values);
      deepEqual(toJson(descriptorOf(shape), fromBinary(descriptorOf(shape), bytes)), values);
    }
  });

  it("of any bytes is a message or a 400, never anything else", () => {
    fc.assert(
      fc.property(shaped(2), fc.uint8Array({ maxLength: 60 }), ({ shape }, bytes) => {
        try {
          decodeShape(shape, bytes, "a.A.B");
        } catch (error) {
          const { code, id } = error as { code: number; id: string };
          deepEqual({ code, id }, { code: 400, id: "a.A.B" });
        }
      }),
      { numRuns: 300 },
    );
  });
});

const request = shapeOfSchema(
  "CallRequest",
  z.object({
    name: z.string(),
    age: z.int(),
    ok: z.boolean(),
    tags: z.array(z.string()),
    nick: z.string().optional(),
    more: z.array(z.string()).default(["x"]),
    counts: z.record(z.string(), z.int32()),
    inner: z.object({ a: z.string() }).optional(),
  }),
  "input",
);
ok(request);
const call = request;

describe("decodeShape", () => {
  it("gives required fields their zero values and leaves optional ones out (proto3 sends neither)", () => {
    deepEqual(plain(decodeShape(call, new Uint8Array(), "id")), { name: "", age: 0, ok: false, tags: [], counts: {} });
  });

  it("skips unknown fields, and known ones of another wire type", () => {
    const writer = new BinaryWriter();
    writer.tag(99, WireType.LengthDelimited).string("unknown").tag(98, WireType.Varint).int32(1);
    writer.tag(1, WireType.Varint).int32(5).tag(2, WireType.LengthDelimited).string("no number");
    writer.tag(3, WireType.Varint).bool(true);
    deepEqual(plain(decodeShape(call, writer.finish(), "id")), { name: "", age: 0, ok: true, tags: [], counts: {} });
  });

  it("refuses a nested message, a map entry and a packed list that go past their end", () => {
    for (const field of [8, 7]) {
      const bytes = new BinaryWriter()
        .tag(field, WireType.LengthDelimited)
        .bytes(Buffer.from([0x0a, 5]))
        .finish();
      const whole = Buffer.concat([
        bytes,
        new BinaryWriter().tag(1, WireType.LengthDelimited).string("abcdef").finish(),
      ]);
      throws(() => decodeShape(call, whole, "a.A.B"), {
        code: 400,
        id: "a.A.B",
        detail: /not a valid protobuf CallRequest/,
      });
    }
  });

  it("keeps a map with the key __proto__ harmless", () => {
    const bytes = encodeShape(call, { counts: JSON.parse('{"__proto__": 1}') });
    const { counts } = decodeShape(call, bytes, "id");
    deepEqual(Object.entries(counts as object), [["__proto__", 1]]);
  });
});

describe("encodeShape", () => {
  it("leaves out what is absent or null, and writes the rest by property order", () => {
    equal(encodeShape(call, { nick: null, tags: undefined }).length, 0);
    equal(encodeShape(call, undefined).length, 0);
    deepEqual([...encodeShape(call, { name: "é" })], [0x0a, 2, 0xc3, 0xa9]);
  });

  it("writes anything as JSON would show it", () => {
    const any = shapeOfSchema("Any", z.object({ at: z.any() }), "output");
    ok(any);
    const at = new Date(0);
    equal(decodeShape(any, encodeShape(any, { at }), "id")["at"], at.toISOString());
    equal(decodeShape(any, encodeShape(any, { at: Number.NaN }), "id")["at"], null);
  });
});
