import { fromBinary, fromJson, type JsonValue, toBinary, toJson } from "@bufbuild/protobuf";
import { BinaryReader, BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { ValueSchema } from "@bufbuild/protobuf/wkt";
import { MicroError } from "@microts/core";
import type { FieldShape, FieldType, MessageShape, Scalar } from "./shape.ts";

/**
 * Protobuf binary for plain JSON values of a known shape (https://protobuf.dev/programming-guides/encoding): what lets any gRPC client call
 * a service that was written with a schema and no .proto file. Bytes are base64 text in JSON; 64-bit numbers past 2^53 are text.
 */
export function encodeShape(shape: MessageShape, value: unknown): Uint8Array {
  const writer = new BinaryWriter();
  writeMessage(writer, shape, value);
  return writer.finish();
}

/**
 * Undoes `encodeShape`. Unknown fields, and known ones of another wire type, are skipped; required fields that are absent have their type's zero value.
 * Throws 400 under `id` for bytes that are no such message.
 */
export function decodeShape(shape: MessageShape, bytes: Uint8Array, id: string): Record<string, unknown> {
  try {
    return readMessage(new BinaryReader(bytes), bytes.length, shape);
  } catch (error) {
    throw MicroError.badRequest(id, `the request is not a valid protobuf ${shape.name}: ${(error as Error).message}`);
  }
}

const wireTypes: Readonly<Record<Scalar, WireType>> = {
  string: WireType.LengthDelimited,
  bytes: WireType.LengthDelimited,
  any: WireType.LengthDelimited,
  bool: WireType.Varint,
  int32: WireType.Varint,
  int64: WireType.Varint,
  uint32: WireType.Varint,
  uint64: WireType.Varint,
  float32: WireType.Bit32,
  float64: WireType.Bit64,
};

function wireTypeOf(type: FieldType): WireType {
  return typeof type === "string" ? wireTypes[type] : WireType.LengthDelimited;
}

function writeMessage(writer: BinaryWriter, shape: MessageShape, value: unknown): void {
  if (typeof value !== "object" || value === null) return;
  const record = value as Record<string, unknown>;
  for (const field of shape.fields) {
    const given = Object.hasOwn(record, field.name) ? record[field.name] : undefined;
    if (given !== undefined && given !== null) writeField(writer, field, given);
  }
}

function writeField(writer: BinaryWriter, { number, type, label }: FieldShape, value: unknown): void {
  if (label === "single") {
    writeValue(writer.tag(number, wireTypeOf(type)), type, value);
    return;
  }
  if (label === "map") {
    for (const [key, item] of Object.entries(value as object)) {
      writer.tag(number, WireType.LengthDelimited).fork().tag(1, WireType.LengthDelimited).string(key);
      writeValue(writer.tag(2, wireTypeOf(type)), type, item);
      writer.join();
    }
    return;
  }
  const items = value as unknown[];
  if (wireTypeOf(type) === WireType.LengthDelimited) {
    for (const item of items) writeValue(writer.tag(number, WireType.LengthDelimited), type, item);
  } else if (items.length > 0) {
    writer.tag(number, WireType.LengthDelimited).fork();
    for (const item of items) writeValue(writer, type, item);
    writer.join();
  }
}

function writeValue(writer: BinaryWriter, type: FieldType, value: unknown): void {
  if (typeof type !== "string") {
    writer.fork();
    writeMessage(writer, type, value);
    writer.join();
    return;
  }
  switch (type) {
    case "string":
      writer.string(String(value));
      break;
    case "bytes":
      writer.bytes(Buffer.from(String(value), "base64"));
      break;
    case "any":
      writer.bytes(toBinary(ValueSchema, fromJson(ValueSchema, jsonOf(value))));
      break;
    case "bool":
      writer.bool(Boolean(value));
      break;
    case "int32":
      writer.int32(Number(value));
      break;
    case "uint32":
      writer.uint32(Number(value));
      break;
    case "int64":
      writer.int64(value as number | string);
      break;
    case "uint64":
      writer.uint64(value as number | string);
      break;
    case "float32":
      writer.float(Number(value));
      break;
    case "float64":
      writer.double(Number(value));
      break;
  }
}

/** The value as JSON shows it: a Date as text, what JSON leaves out as nothing. */
function jsonOf(value: unknown): JsonValue {
  return JSON.parse(JSON.stringify(value) ?? "null") as JsonValue;
}

function readMessage(reader: BinaryReader, end: number, shape: MessageShape): Record<string, unknown> {
  const fields = new Map(shape.fields.map((field) => [field.number, field]));
  const record: Record<string, unknown> = {};
  for (const { name, type, label, required } of shape.fields) {
    if (!required) continue;
    if (label !== "single") record[name] = emptyOf(label);
    else if (typeof type === "string") record[name] = zeroOf(type);
  }
  while (reader.pos < end) {
    const [number, wireType] = reader.tag();
    const field = fields.get(number);
    if (field === undefined || !isReadable(field, wireType)) reader.skip(wireType, number);
    else readField(reader, wireType, field, record);
  }
  checkEnd(reader, end);
  return record;
}

/** Numbers that repeat come packed or one by one. */
function isReadable({ type, label }: FieldShape, wireType: WireType): boolean {
  const expected = label === "map" ? WireType.LengthDelimited : wireTypeOf(type);
  return wireType === expected || (label === "repeated" && wireType === WireType.LengthDelimited);
}

function checkEnd(reader: BinaryReader, end: number): void {
  if (reader.pos !== end) throw new RangeError("a field goes past the end of its message");
}

function emptyOf(label: "repeated" | "map"): unknown {
  return label === "repeated" ? [] : Object.create(null);
}

function readField(
  reader: BinaryReader,
  wireType: WireType,
  { name, type, label }: FieldShape,
  record: Record<string, unknown>,
): void {
  if (label === "single") {
    record[name] = readValue(reader, type);
    return;
  }
  record[name] ??= emptyOf(label);
  if (label === "map") {
    const [key, value] = readEntry(reader, type);
    (record[name] as Record<string, unknown>)[key] = value;
    return;
  }
  const items = record[name] as unknown[];
  if (wireType === WireType.LengthDelimited && wireTypeOf(type) !== WireType.LengthDelimited) {
    const end = reader.uint32() + reader.pos;
    while (reader.pos < end) items.push(readValue(reader, type));
    checkEnd(reader, end);
  } else {
    items.push(readValue(reader, type));
  }
}

function readEntry(reader: BinaryReader, type: FieldType): [string, unknown] {
  const end = reader.uint32() + reader.pos;
  let key = "";
  let value: unknown = typeof type === "string" ? zeroOf(type) : {};
  while (reader.pos < end) {
    const [number, wireType] = reader.tag();
    if (number === 1) key = reader.string();
    else if (number === 2) value = readValue(reader, type);
    else reader.skip(wireType, number);
  }
  checkEnd(reader, end);
  return [key, value];
}

function readValue(reader: BinaryReader, type: FieldType): unknown {
  if (typeof type !== "string") {
    const length = reader.uint32();
    return readMessage(reader, reader.pos + length, type);
  }
  switch (type) {
    case "string":
      return reader.string();
    case "bytes":
      return Buffer.from(reader.bytes()).toString("base64");
    case "any":
      return toJson(ValueSchema, fromBinary(ValueSchema, reader.bytes()));
    case "bool":
      return reader.bool();
    case "int32":
      return reader.int32();
    case "uint32":
      return reader.uint32();
    case "int64":
      return exact(reader.int64());
    case "uint64":
      return exact(reader.uint64());
    case "float32":
      return reader.float();
    case "float64":
      return reader.double();
  }
}

function exact(value: bigint | string): number | string {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : String(value);
}

function zeroOf(type: Scalar): unknown {
  if (type === "string" || type === "bytes") return "";
  if (type === "bool") return false;
  return type === "any" ? null : 0;
}
