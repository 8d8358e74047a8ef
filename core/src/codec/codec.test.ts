import { deepEqual, equal, ok, throws } from "node:assert/strict";
import { describe, it } from "node:test";
import { create, createFileRegistry, type DescMessage, fromBinary, toBinary } from "@bufbuild/protobuf";
import {
  FileDescriptorProtoSchema,
  file_google_protobuf_struct,
  file_google_protobuf_timestamp,
  FieldDescriptorProto_Label as Label,
  FieldDescriptorProto_Type as Type,
} from "@bufbuild/protobuf/wkt";
import { RequestSchema } from "@microts/proto/api";
import { Access, ListRequestSchema, RuleSchema, TokenResponseSchema } from "@microts/proto/auth";
import { ConsumeRequestSchema } from "@microts/proto/events";
import { PeerSchema } from "@microts/proto/network";
import { CreateRequestSchema, ResourcesSchema } from "@microts/proto/runtime";
import {
  BlobOptionsSchema,
  DatabasesResponseSchema,
  ListResponseSchema,
  ReadOptionsSchema,
  ReadRequestSchema,
  ReadResponseSchema,
  RecordSchema,
} from "@microts/proto/store";
import fc from "fast-check";
import { MicroError } from "../errors.ts";
import { decodeMessage, encodeMessage } from "./index.ts";

const read = <T extends DescMessage>(schema: T, json: unknown) =>
  decodeMessage(schema, Buffer.from(typeof json === "string" ? json : JSON.stringify(json)), "json");
const written = (bytes: Uint8Array): unknown => JSON.parse(Buffer.from(bytes).toString());

const kitchen = kitchenSchema();

describe("encodeMessage", () => {
  it("writes every field under its original name, absent messages as null", () => {
    const json = encodeMessage(
      ReadResponseSchema,
      { records: [{ key: "a", value: Buffer.from("hi"), expiry: 2n ** 60n }] },
      "json",
    );
    const record = { key: "a", value: "aGk=", expiry: "1152921504606846976", metadata: {} };
    deepEqual(written(json), { records: [record] });
    deepEqual(written(encodeMessage(ReadRequestSchema, {}, "json")), { key: "", options: null });
    deepEqual(written(encodeMessage(DatabasesResponseSchema, {}, "json")), { databases: [] });
    deepEqual(written(encodeMessage(BlobOptionsSchema, {}, "json")), { namespace: "", public: false, contentType: "" });
    deepEqual(written(encodeMessage(ResourcesSchema, { CPU: 5 }, "json")), { Memory: 0, CPU: 5, EphemeralStorage: 0 });
  });

  it("writes enums by name and 64-bit integers as strings", () => {
    const rule = written(encodeMessage(RuleSchema, { id: "r", access: Access.GRANTED }, "json"));
    deepEqual(rule, { id: "r", scope: "", resource: null, access: "GRANTED", priority: 0 });
    const token = written(encodeMessage(TokenResponseSchema, { token: { expiry: 5n } }, "json"));
    deepEqual(token, { token: { access_token: "", refresh_token: "", created: "0", expiry: "5" } });
  });

  it("writes null inside lists and messages of the same kind", () => {
    const peer = { node: { id: "a", status: {} }, peers: [{ peers: [{}] }] };
    deepEqual(written(encodeMessage(PeerSchema, peer, "json")), {
      node: { id: "a", address: "", network: "", metadata: {}, status: { error: null } },
      peers: [{ node: null, peers: [{ node: null, peers: [] }] }],
    });
  });

  it("takes a message as well as what one is made from", () => {
    const message = create(ListResponseSchema, { keys: ["a"] });
    deepEqual(encodeMessage(ListResponseSchema, message, "proto"), toBinary(ListResponseSchema, message));
    deepEqual(encodeMessage(ListResponseSchema, { keys: ["a"] }, "proto"), toBinary(ListResponseSchema, message));
  });

  it("throws 500 naming the field that cannot hold its value", () => {
    for (const format of ["proto", "json"] as const) {
      const bad = { priority: "high" as unknown as number };
      throws(() => encodeMessage(RuleSchema, bad, format), coded(500, /Writing auth\.Rule failed.*priority/));
    }
  });
});

describe("decodeMessage", () => {
  it("reads no bytes as an empty message", () => {
    for (const format of ["proto", "json"] as const)
      equal(decodeMessage(ReadRequestSchema, new Uint8Array(), format).key, "");
    equal(read(ReadRequestSchema, "null").key, "");
  });

  it("reads original and camel-case names, the original one winning", () => {
    for (const json of [{ auto_ack: true }, { autoAck: true }, { autoAck: false, auto_ack: true }]) {
      equal(read(ConsumeRequestSchema, json).autoAck, true);
    }
  });

  it("tolerates unknown fields at every depth", () => {
    const request = read(ReadRequestSchema, { key: "k", shiny: { new: [1] }, options: { limit: 3, other: null } });
    equal(request.key, "k");
    equal(request.options?.limit, 3n);
    equal("shiny" in request, false);
  });

  it("reads null as absent", () => {
    const request = read(ReadRequestSchema, { key: null, options: null });
    equal(request.key, "");
    equal(request.options, undefined);
    deepEqual(read(ListResponseSchema, { keys: null }).keys, []);
  });

  it("turns text into booleans and numbers where the field is one", () => {
    const options = read(ReadOptionsSchema, { prefix: "true", suffix: "0", limit: " 20 ", offset: "+3" });
    deepEqual([options.prefix, options.suffix, options.limit, options.offset], [true, false, 20n, 3n]);
    const request = read(CreateRequestSchema, { options: { force: "T", instances: "2", args: ["1"] } });
    deepEqual([request.options?.force, request.options?.instances, request.options?.args], [true, 2n, ["1"]]);
    deepEqual(
      read(kitchen, { ratio: "1.5", ratios: ["2", "NaN", 3] }),
      create(kitchen, { ratio: 1.5, ratios: [2, Number.NaN, 3] }),
    );
    equal(read(RuleSchema, { access: "2", priority: "1e3", x: 1 }).access, Access.DENIED);
    equal(read(RuleSchema, { priority: "1e3" }).priority, 1000);
  });

  it("keeps 64-bit integers that came as numbers", () => {
    equal(read(RecordSchema, `{"expiry": 1731000000000000001}`).expiry, 1731000000000000001n);
    equal(read(ReadRequestSchema, `{"options":{"limit":18446744073709551615}}`).options?.limit, 2n ** 64n - 1n);
    deepEqual(read(kitchen, `{"any":{"n":1731000000000000001}}`), create(kitchen, { any: { n: 1731000000000000000 } }));
  });

  it("reads protobuf's own types in their JSON forms, and writes them so", () => {
    const json = {
      any: { a: [1, null, { __proto__x: true }] },
      when: "2026-01-02T03:04:05Z",
      left: { ratio: 1 },
      unknown: 1,
    };
    const bytes = encodeMessage(kitchen, read(kitchen, json), "json");
    const left = { any: null, when: null, child: null, ratio: 1, ratios: [] };
    deepEqual(written(bytes), { any: json.any, when: json.when, child: null, left, ratio: 0, ratios: [] });
  });

  for (const { schema, json, detail } of [
    { schema: ReadRequestSchema, json: { key: 5 }, detail: /Field key has to be a string; what came is a number/ },
    { schema: ReadRequestSchema, json: { options: "x" }, detail: /Field options has to be an object/ },
    {
      schema: ReadRequestSchema,
      json: { options: { limit: "many" } },
      detail: /Field options\.limit has to be an integer/,
    },
    {
      schema: ReadRequestSchema,
      json: { options: { limit: 1.5 } },
      detail: /Field options\.limit has to be an integer/,
    },
    { schema: ReadRequestSchema, json: { options: { limit: -1 } }, detail: /limit/ },
    {
      schema: ReadRequestSchema,
      json: { options: { limit: "" } },
      detail: /Field options\.limit has to be an integer/,
    },
    { schema: ReadOptionsSchema, json: { prefix: "maybe" }, detail: /Field prefix has to be true or false/ },
    { schema: ReadOptionsSchema, json: { prefix: 1 }, detail: /Field prefix has to be true or false/ },
    { schema: ReadResponseSchema, json: { records: {} }, detail: /Field records has to be an array/ },
    { schema: ReadResponseSchema, json: { records: [{}, 7] }, detail: /Field records\[1\] has to be an object/ },
    { schema: ReadResponseSchema, json: { records: [{ value: "%" }] }, detail: /value/ },
    { schema: RecordSchema, json: { metadata: { a: 1 } }, detail: /Field metadata\["a"\] has to be an object/ },
    { schema: RecordSchema, json: { metadata: [] }, detail: /Field metadata has to be an object/ },
    { schema: RuleSchema, json: { access: "MAYBE" }, detail: /Field access has to be one of UNKNOWN, GRANTED, DENIED/ },
    { schema: RuleSchema, json: { priority: "99999999999" }, detail: /priority/ },
    { schema: ListRequestSchema, json: [], detail: /The message has to be an object/ },
    { schema: ListRequestSchema, json: "{", detail: /Expected auth\.ListRequest as JSON; this is not JSON/ },
  ] as const) {
    it(`answers 400 naming the field for ${JSON.stringify(json)}`, () => {
      throws(() => read(schema as DescMessage, json), coded(400, detail));
    });
  }

  it("keeps the text of bad JSON out of the error", () => {
    throws(
      () => read(ReadRequestSchema, `{"key": "s3cret" x`),
      (error) => error instanceof MicroError && !/s3cret/.test(error.detail),
    );
  });

  it("answers 400 for JSON more than 100 levels deep, known or unknown", () => {
    const nested = (levels: number) => `${'{"peers":[],"x":'.repeat(levels - 1)}{}${"}".repeat(levels - 1)}`;
    ok(read(PeerSchema, nested(100)));
    throws(() => read(PeerSchema, nested(101)), coded(400, /more than 100 levels deep/));
    throws(
      () => read(PeerSchema, `{"x":${"[".repeat(200_000)}${"]".repeat(200_000)}}`),
      coded(400, /more than 100 levels deep/),
    );
  });

  it("answers 400 for binary that is no such message, or is nested without end", () => {
    throws(
      () => decodeMessage(ReadRequestSchema, new Uint8Array([0x0a, 0xff]), "proto"),
      coded(400, /store\.ReadRequest/),
    );
    let bytes = new Uint8Array();
    for (let level = 0; level < 200; level++) bytes = Uint8Array.from([0x12, ...varint(bytes.length), ...bytes]);
    throws(() => decodeMessage(PeerSchema, bytes, "proto"), coded(400, /recursion/));
  });

  it("takes __proto__ for a name like any other", () => {
    const json = `{"__proto__":{"polluted":true},"options":{"__proto__":{"prefix":true}},"key":"k"}`;
    const request = read(ReadRequestSchema, json);
    equal(request.options?.prefix, false);
    equal(Object.hasOwn(request, "__proto__"), false);
    // The second has an unknown field, and so is read by the lenient pass.
    for (const text of [`{"header":{"__proto__":{"key":"p"}}}`, `{"header":{"__proto__":{"key":"p"}},"x":1}`]) {
      const { header } = read(RequestSchema, text);
      deepEqual(Object.keys(header), ["__proto__"]);
      equal(Object.getPrototypeOf(header), Object.prototype);
      const again = decodeMessage(
        RequestSchema,
        encodeMessage(RequestSchema, read(RequestSchema, text), "json"),
        "json",
      );
      deepEqual(Object.keys(again.header), ["__proto__"]);
    }
    equal("polluted" in {}, false);
  });
});

describe("the codec", () => {
  const records = fc.record({
    key: fc.string({ unit: "grapheme" }),
    value: fc.uint8Array(),
    expiry: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
    metadata: fc.dictionary(fc.string(), fc.record({ type: fc.string(), value: fc.string() })),
  });

  it("reads back what it wrote, in both formats", () => {
    fc.assert(
      fc.property(records, fc.constantFrom("proto", "json"), (init, format) => {
        const record = create(RecordSchema, init);
        deepEqual(decodeMessage(RecordSchema, encodeMessage(RecordSchema, record, format), format), record);
      }),
    );
  });

  it("carries a message from JSON to binary unchanged", () => {
    fc.assert(
      fc.property(records, (init) => {
        const json = decodeMessage(RecordSchema, encodeMessage(RecordSchema, init, "json"), "json");
        deepEqual(fromBinary(RecordSchema, encodeMessage(RecordSchema, json, "proto")), json);
      }),
    );
  });

  it("answers any JSON with a message or a 400", () => {
    const names = [
      "key",
      "options",
      "records",
      "metadata",
      "limit",
      "prefix",
      "value",
      "expiry",
      "__proto__",
      "constructor",
    ];
    const { tree } = fc.letrec((tie) => ({
      tree: fc.oneof(
        { depthSize: "small" },
        fc.jsonValue(),
        fc.array(tie("tree")),
        fc.array(fc.tuple(fc.constantFrom(...names), tie("tree"))).map((entries) => Object.fromEntries(entries)),
      ),
    }));
    fc.assert(
      fc.property(tree, (json) => {
        for (const schema of [ReadRequestSchema, ReadResponseSchema, kitchen]) {
          try {
            read(schema as DescMessage, json);
          } catch (error) {
            ok(error instanceof MicroError && error.code === 400, String(error));
          }
        }
      }),
    );
  });
});

function coded(code: number, detail: RegExp): (error: unknown) => boolean {
  return (error) => {
    ok(error instanceof MicroError, String(error));
    equal(error.code, code);
    ok(detail.test(error.detail), error.detail);
    return true;
  };
}

function varint(value: number): number[] {
  return value < 128 ? [value] : [(value & 127) | 128, ...varint(value >>> 7)];
}

/** What no contract of the platform has: floating point, a oneof, and protobuf's own types. */
function kitchenSchema(): DescMessage {
  const message = (name: string, number: number, typeName: string) => ({
    name,
    number,
    type: Type.MESSAGE,
    typeName: `.${typeName}`,
  });
  const proto = create(FileDescriptorProtoSchema, {
    name: "kitchen.proto",
    syntax: "proto3",
    dependency: ["google/protobuf/struct.proto", "google/protobuf/timestamp.proto"],
    messageType: [
      {
        name: "Kitchen",
        field: [
          { name: "ratio", number: 1, type: Type.DOUBLE, label: Label.OPTIONAL },
          { name: "ratios", number: 2, type: Type.DOUBLE, label: Label.REPEATED },
          message("any", 3, "google.protobuf.Struct"),
          message("when", 4, "google.protobuf.Timestamp"),
          message("child", 5, "Kitchen"),
          { ...message("left", 6, "Kitchen"), oneofIndex: 0 },
          { name: "right", number: 7, type: Type.STRING, oneofIndex: 0 },
        ],
        oneofDecl: [{ name: "side" }],
      },
    ],
  });
  const known = [file_google_protobuf_struct, file_google_protobuf_timestamp];
  const schema = createFileRegistry(proto, (name) => known.find((file) => file.proto.name === name)).getMessage(
    "Kitchen",
  );
  ok(schema);
  return schema;
}
