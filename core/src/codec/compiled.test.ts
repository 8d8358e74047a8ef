// The compiled codec against the general one: the same bytes of the same message, the same message of the same bytes, and the same refusals.
import { deepEqual, deepStrictEqual, equal, ok } from "node:assert/strict";
import { describe, it } from "node:test";
import {
  create,
  createFileRegistry,
  type DescField,
  type DescFile,
  type DescMessage,
  fromBinary,
  ScalarType,
  toBinary,
} from "@bufbuild/protobuf";
import {
  FileDescriptorProtoSchema,
  FieldDescriptorProto_Label as Label,
  FieldDescriptorProto_Type as Type,
} from "@bufbuild/protobuf/wkt";
import { file_auth_auth } from "@microts/proto/auth";
import { file_broker_broker } from "@microts/proto/broker";
import { file_config_config } from "@microts/proto/config";
import { ConsumeRequestSchema, file_events_events } from "@microts/proto/events";
import { file_network_network, PeerSchema } from "@microts/proto/network";
import { file_registry_registry } from "@microts/proto/registry";
import { file_runtime_runtime } from "@microts/proto/runtime";
import { file_store_store, ReadResponseSchema, RecordSchema } from "@microts/proto/store";
import fc from "fast-check";
import { compiledCodec } from "./compiled.ts";
import { decodeMessage, encodeMessage } from "./index.ts";

const files: readonly DescFile[] = [
  file_auth_auth,
  file_broker_broker,
  file_config_config,
  file_events_events,
  file_network_network,
  file_registry_registry,
  file_runtime_runtime,
  file_store_store,
];
const schemas = files.flatMap(({ messages }) => messages);

const word = fc.oneof(
  fc.string(),
  fc.string({ unit: "binary" }),
  fc.constantFrom("", "__proto__", "\ufffd", "x".repeat(300)),
);
const amount = (most: bigint) => fc.oneof(fc.bigInt({ min: 0n, max: 300n }), fc.bigInt({ min: 0n, max: most }));

function scalar(type: ScalarType): fc.Arbitrary<unknown> {
  switch (type) {
    case ScalarType.STRING:
      return word;
    case ScalarType.BYTES:
      return fc.oneof(fc.uint8Array(), fc.constant(Buffer.alloc(20_000, 7)));
    case ScalarType.BOOL:
      return fc.boolean();
    case ScalarType.INT64:
      return fc.oneof(amount(2n ** 63n - 1n), fc.constant(-1n));
    case ScalarType.UINT64:
      return amount(2n ** 64n - 1n);
    case ScalarType.UINT32:
      return fc.oneof(fc.nat(200), fc.nat(2 ** 31 - 1), fc.constant(2 ** 32 - 1));
    case ScalarType.DOUBLE:
    case ScalarType.FLOAT:
      return fc.float({ noNaN: true });
    default:
      return fc.oneof(fc.nat(200), fc.integer());
  }
}

function inField(field: DescField, depth: number): fc.Arbitrary<unknown> {
  const one =
    field.message !== undefined
      ? message(field.message, depth + 1)
      : field.enum !== undefined
        ? fc.constantFrom(...field.enum.values.map(({ number }) => number), 77)
        : scalar(field.scalar as ScalarType);
  if (field.fieldKind === "list") return fc.array(one, { maxLength: 3 });
  return field.fieldKind === "map" ? fc.dictionary(word, one, { maxKeys: 3 }) : one;
}

function message(schema: DescMessage, depth = 0): fc.Arbitrary<Record<string, unknown>> {
  const fields = schema.fields.filter(
    ({ oneof, message: inside }) => oneof === undefined && (inside === undefined || depth < 3),
  );
  return fc.record(Object.fromEntries(fields.map((field) => [field.localName, inField(field, depth)])), {
    requiredKeys: [],
  });
}

const anything = fc.constantFrom(...schemas).chain((schema) => message(schema).map((init) => ({ schema, init })));

/** What comes of it, or that it was refused. */
function outcome<T>(work: () => T): T | string {
  try {
    return work();
  } catch {
    return "refused";
  }
}

describe("the compiled codec", () => {
  it("takes the messages of the services", () => {
    const taken = schemas.filter((schema) => compiledCodec(schema) !== undefined);
    ok(taken.length > 0.9 * schemas.length, `${taken.length} of ${schemas.length}`);
    for (const schema of [ReadResponseSchema, RecordSchema, ConsumeRequestSchema, PeerSchema])
      ok(taken.includes(schema));
  });

  it("writes what the general one writes, and reads it back", () => {
    fc.assert(
      fc.property(anything, ({ schema, init }) => {
        const expected = outcome(() => Buffer.from(toBinary(schema, create(schema, init))).toString("hex"));
        equal(
          outcome(() => Buffer.from(encodeMessage(schema, init, "proto")).toString("hex")),
          expected,
        );
        if (expected === "refused") return;
        const bytes = Buffer.from(expected, "hex");
        deepStrictEqual(plain(decodeMessage(schema, bytes, "proto")), plain(fromBinary(schema, bytes)));
        equal(Buffer.from(encodeMessage(schema, fromBinary(schema, bytes), "proto")).toString("hex"), expected);
      }),
      { numRuns: 2_000 },
    );
  });

  it("reads and refuses what the general one does of bytes that were changed, cut off or repeated", () => {
    const change = fc.record({ at: fc.nat(), byte: fc.nat(255), cut: fc.option(fc.nat()), twice: fc.boolean() });
    fc.assert(
      fc.property(anything, fc.array(change, { maxLength: 3 }), ({ schema, init }, changes) => {
        let bytes = Buffer.from(toBinary(schema, create(schema, init)));
        for (const { at, byte, cut, twice } of changes) {
          if (bytes.length > 0) bytes[at % bytes.length] = byte;
          if (cut !== null) bytes = bytes.subarray(0, cut % (bytes.length + 1));
          if (twice) bytes = Buffer.concat([bytes, bytes]);
        }
        const expected = outcome(() => plain(fromBinary(schema, bytes)));
        deepStrictEqual(
          outcome(() => plain(decodeMessage(schema, bytes, "proto"))),
          expected,
        );
      }),
      { numRuns: 4_000 },
    );
  });

  it("writes and refuses what the general one does of values that fit no field", () => {
    const odd = fc.constantFrom<unknown>(
      null,
      undefined,
      1,
      -1,
      1.5,
      2n ** 70n,
      "7",
      true,
      [],
      {},
      [1],
      new Date(0),
      Number.NaN,
    );
    fc.assert(
      fc.property(anything, fc.nat(), odd, ({ schema, init }, at, value) => {
        const field = schema.fields[at % Math.max(1, schema.fields.length)];
        if (field === undefined || field.oneof !== undefined) return;
        const given = { ...init, [field.localName]: value };
        const expected = outcome(() => Buffer.from(toBinary(schema, create(schema, given))).toString("hex"));
        equal(
          outcome(() => Buffer.from(encodeMessage(schema, given, "proto")).toString("hex")),
          expected,
        );
      }),
      { numRuns: 4_000 },
    );
  });

  it("writes and reads fields of every number that there may be", () => {
    for (const number of [1, 15, 16, 2047, 2048, 2 ** 25, 2 ** 28 - 1, 2 ** 28, 2 ** 29 - 1]) {
      const field = { name: "text", number, type: Type.STRING, label: Label.OPTIONAL };
      const messageType = [{ name: "Numbered", field: [field] }];
      const file = create(FileDescriptorProtoSchema, { name: "numbered.proto", syntax: "proto3", messageType });
      const schema = createFileRegistry(file, () => undefined).getMessage("Numbered");
      ok(schema);
      const init = { text: "x" } as Record<string, unknown>;
      const expected = Buffer.from(toBinary(schema, create(schema, init)));
      equal(Buffer.from(encodeMessage(schema, init, "proto")).toString("hex"), expected.toString("hex"), `${number}`);
      deepStrictEqual(plain(decodeMessage(schema, expected, "proto")), plain(fromBinary(schema, expected)));
    }
  });

  it("keeps messages apart: no list or map is shared", () => {
    const [one, other] = [
      decodeMessage(ReadResponseSchema, Buffer.of(0x0a, 0), "proto"),
      decodeMessage(ReadResponseSchema, Buffer.of(0x0a, 0), "proto"),
    ];
    one.records.push(create(RecordSchema));
    const [first] = one.records;
    if (first !== undefined) first.metadata["a"] = create(RecordSchema).metadata["a"] as never;
    equal(other.records.length, 1);
    deepEqual(other.records[0]?.metadata, {});
  });

  it("leaves messages within messages to a depth of a hundred, and refuses more as the general one does", () => {
    for (const depth of [40, 98, 99, 100, 101]) {
      const bytes = deepPeer(depth);
      equal(
        outcome(() => decodeMessage(PeerSchema, bytes, "proto").$typeName),
        outcome(() => fromBinary(PeerSchema, bytes).$typeName),
        `${depth}`,
      );
    }
  });
});

/** A peer in a peer in a peer. */
function deepPeer(depth: number): Buffer {
  let bytes = Buffer.alloc(0);
  const number = PeerSchema.field["peers"]?.number ?? 0;
  for (let n = 0; n < depth; n++) {
    const length: number[] = [];
    for (let left = bytes.length; ; left >>>= 7) {
      length.push(left >= 0x80 ? (left & 0x7f) | 0x80 : left);
      if (left < 0x80) break;
    }
    bytes = Buffer.concat([Buffer.of((number << 3) | 2, ...length), bytes]);
  }
  return bytes;
}

/** Buffers as plain bytes, so that two ways to hold them are equal. */
function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return [...value];
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inside]) => [key, plain(inside)]));
}
