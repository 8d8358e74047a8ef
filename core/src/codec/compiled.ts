import { create, type DescField, type DescMessage, ScalarType } from "@bufbuild/protobuf";
import { FieldReader, FieldWriter } from "./fields.ts";

/** A message, or what one can be made from. */
type Fields = Record<string, unknown>;
type ReadField = (message: Fields, from: FieldReader) => void;
type WriteField = (message: Fields, to: FieldWriter) => void;

/**
 * Protobuf's binary form of one kind of message, compiled once: a list of functions, one for each field, in place of a look at its description
 * each time. It does what is ordinary and leaves the rest, errors and messages with unknown fields too, to the general codec.
 */
export class CompiledCodec {
  readonly #template: Fields;
  /** The fields that each message has a list or a map of its own for. */
  readonly #lists: string[] = [];
  readonly #maps: string[] = [];
  /** By tag. */
  readonly #readers: (ReadField | undefined)[] = [];
  readonly #writers: WriteField[] = [];
  readonly #typeName: string;
  #size = 64;

  constructor(schema: DescMessage) {
    this.#typeName = schema.typeName;
    this.#template = { ...(create(schema) as unknown as Fields) };
    for (const field of schema.fields.toSorted((a, b) => a.number - b.number)) {
      if (field.fieldKind === "list") this.#lists.push(field.localName);
      if (field.fieldKind === "map") this.#maps.push(field.localName);
      const value = kindOf(field);
      const tag = (field.number << 3) | (field.fieldKind === "map" ? delimited : value.wireType);
      this.#writers.push(writerOf(field, tag, value));
      this.#readers[tag] = readerOf(field, value);
    }
  }

  /** Undefined for what the general codec has to look at. */
  encode(message: Fields): Uint8Array | undefined {
    try {
      const to = new FieldWriter(this.#size);
      this.write(message, to);
      const bytes = to.done();
      this.#size = Math.min(largestGuess, Math.max(64, bytes.length + (bytes.length >> 3)));
      return bytes;
    } catch (error) {
      if (error instanceof RangeError) return undefined;
      throw error;
    }
  }

  /** Undefined for what the general codec has to look at. */
  decode(bytes: Uint8Array): Fields | undefined {
    try {
      return this.read(new FieldReader(bytes));
    } catch (error) {
      if (error instanceof RangeError) return undefined;
      throw error;
    }
  }

  write(message: Fields, to: FieldWriter): void {
    const { $typeName: typeName = this.#typeName, $unknown: unknown } = message;
    if (typeName !== this.#typeName || unknown !== undefined) throw unusual;
    const writers = this.#writers;
    for (let n = 0; n < writers.length; n++) (writers[n] as WriteField)(message, to);
  }

  read(from: FieldReader): Fields {
    const message = { ...this.#template };
    for (const name of this.#lists) message[name] = [];
    for (const name of this.#maps) message[name] = {};
    for (let tag = from.tag(); tag !== 0; tag = from.tag()) {
      const read = this.#readers[tag];
      if (read === undefined) throw unusual;
      read(message, from);
    }
    return message;
  }
}

const largestGuess = 64 * 1024;
const varint = 0;
const delimited = 2;
const unusual = new RangeError("something for the general codec");

const codecs = new WeakMap<DescMessage, CompiledCodec | null>();

/** The codec of a message; undefined for one that has fields out of the ordinary. */
export function compiledCodec(schema: DescMessage): CompiledCodec | undefined {
  let codec = codecs.get(schema);
  if (codec === undefined) {
    codec = isOrdinary(schema, new Set()) ? new CompiledCodec(schema) : null;
    codecs.set(schema, codec);
  }
  return codec ?? undefined;
}

function isOrdinary(schema: DescMessage, seen: Set<DescMessage>): boolean {
  if (seen.has(schema)) return true;
  seen.add(schema);
  // Those of protobuf itself have forms of their own in JavaScript.
  if (schema.typeName.startsWith("google.protobuf.") || schema.file.edition !== proto3 || schema.oneofs.length > 0)
    return false;
  return schema.fields.every((field) => {
    if (field.number >= 2 ** 28) return false;
    if (field.fieldKind === "map" && field.mapKey !== ScalarType.STRING) return false;
    if (field.fieldKind !== "message" && field.presence !== implicit) return false;
    if (field.message !== undefined) return isOrdinary(field.message, seen);
    if (field.enum !== undefined) return field.enum.open;
    return field.scalar !== undefined && scalars.has(field.scalar);
  });
}

const proto3 = 999;
const implicit = 2;

/** How one value of a kind is read and written; `write` is not given what is 0 or empty, `isBlank` says what that is. */
interface Value {
  readonly wireType: number;
  read(from: FieldReader): unknown;
  isBlank(value: unknown): boolean;
  write(to: FieldWriter, tag: number, value: unknown): void;
}

const text: Value = {
  wireType: delimited,
  read: (from) => from.text(),
  isBlank: (value) => value === "",
  write(to, tag, value) {
    if (typeof value !== "string") throw unusual;
    to.text(tag, value);
  },
};

const bytes: Value = {
  wireType: delimited,
  read: (from) => from.bytes(),
  isBlank: (value) => value instanceof Uint8Array && value.length === 0,
  write(to, tag, value) {
    if (!(value instanceof Uint8Array)) throw unusual;
    to.bytes(tag, value);
  },
};

const truth: Value = {
  wireType: varint,
  read: (from) => from.small() !== 0,
  isBlank: (value) => value === false,
  write(to, tag, value) {
    if (value !== true) throw unusual;
    to.number(tag, 1);
  },
};

const small: Value = {
  wireType: varint,
  read: (from) => from.small(),
  isBlank: (value) => value === 0,
  write(to, tag, value) {
    if (typeof value !== "number" || !Number.isInteger(value) || value < 0 || value > 0x7fff_ffff) throw unusual;
    to.number(tag, value);
  },
};

const largest = BigInt(Number.MAX_SAFE_INTEGER);

const large: Value = {
  wireType: varint,
  read: (from) => BigInt(from.number()),
  isBlank: (value) => value === 0n,
  write(to, tag, value) {
    if (typeof value !== "bigint" || value < 0n || value > largest) throw unusual;
    to.number(tag, Number(value));
  },
};

const scalars = new Map<ScalarType, Value>([
  [ScalarType.STRING, text],
  [ScalarType.BYTES, bytes],
  [ScalarType.BOOL, truth],
  [ScalarType.INT32, small],
  [ScalarType.UINT32, small],
  [ScalarType.INT64, large],
  [ScalarType.UINT64, large],
]);

/** What is in a field, or in each place of a list or map. */
function kindOf(field: DescField): Value {
  if (field.message !== undefined) return messageValue(field.message);
  return (field.enum === undefined ? scalars.get(field.scalar as ScalarType) : small) as Value;
}

function messageValue(schema: DescMessage): Value {
  // Found at the first use: messages may hold others of their own kind.
  let codec: CompiledCodec | undefined;
  const found = () => (codec ??= compiledCodec(schema) as CompiledCodec);
  let lengthBytes = 1;
  return {
    wireType: delimited,
    read(from) {
      const outer = from.enter();
      const message = found().read(from);
      from.leave(outer);
      return message;
    },
    isBlank: () => false,
    write(to, tag, value) {
      if (!isRecord(value)) throw unusual;
      // One of the same kind inside this one changes `lengthBytes`.
      const expected = lengthBytes;
      const start = to.begin(tag, expected);
      found().write(value, to);
      lengthBytes = to.end(start, expected);
    },
  };
}

function writerOf(field: DescField, tag: number, value: Value): WriteField {
  const { localName: name } = field;
  if (field.fieldKind === "map") return mapWriter(name, tag, value);
  if (field.fieldKind === "list") {
    const isPacked = value.wireType === varint && field.packed;
    return (message, to) => {
      const list = message[name];
      if (list === undefined || list === null) return;
      if (!Array.isArray(list) || (isPacked && list.length > 0)) throw unusual;
      for (const item of list) {
        if (value.isBlank(item)) to.blank(tag);
        else value.write(to, tag, item);
      }
    };
  }
  return (message, to) => {
    const given = message[name];
    if (given === undefined || given === null || value.isBlank(given)) return;
    value.write(to, tag, given);
  };
}

function isRecord(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

const keyTag = 0x0a;

function mapWriter(name: string, tag: number, value: Value): WriteField {
  const valueTag = (2 << 3) | value.wireType;
  let lengthBytes = 1;
  return (message, to) => {
    const map = message[name];
    if (map === undefined || map === null) return;
    if (!isRecord(map)) throw unusual;
    for (const key of Object.keys(map)) {
      const expected = lengthBytes;
      const start = to.begin(tag, expected);
      if (key === "") to.blank(keyTag);
      else to.text(keyTag, key);
      const item = map[key];
      if (value.isBlank(item)) to.blank(valueTag);
      else value.write(to, valueTag, item);
      lengthBytes = to.end(start, expected);
    }
  };
}

function readerOf(field: DescField, value: Value): ReadField {
  const { localName: name } = field;
  switch (field.fieldKind) {
    case "map":
      return mapReader(name, value);
    case "list":
      return (message, from) => void (message[name] as unknown[]).push(value.read(from));
    case "message":
      return (message, from) => {
        // A second one would have to be merged with the first.
        if (message[name] !== undefined) throw unusual;
        message[name] = value.read(from);
      };
    default:
      return (message, from) => {
        message[name] = value.read(from);
      };
  }
}

function mapReader(name: string, value: Value): ReadField {
  const valueTag = (2 << 3) | value.wireType;
  return (message, from) => {
    const outer = from.enter();
    // Either may be left out, which writers of this day don't.
    if (from.tag() !== keyTag) throw unusual;
    const key = from.text();
    if (key === "__proto__" || from.tag() !== valueTag) throw unusual;
    (message[name] as Fields)[key] = value.read(from);
    if (from.tag() !== 0) throw unusual;
    from.leave(outer);
  };
}
