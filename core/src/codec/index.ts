import {
  create,
  type DescMessage,
  fromBinary,
  fromJson,
  type MessageInitShape,
  type MessageShape,
  toBinary,
  toJson,
} from "@bufbuild/protobuf";
import { MicroError } from "../errors.ts";
import { nullAbsentMessages } from "./absent.ts";
import { compiledCodec } from "./compiled.ts";
import { parseJson } from "./json.ts";
import { convertFields } from "./lenient.ts";

export { FieldReader, FieldWriter, LastText } from "./fields.ts";

/** How messages are written: protobuf's binary form, or Micro's dialect of its JSON form. */
export type Format = "proto" | "json";

const id = "go.micro.codec";
const micro = { alwaysEmitImplicit: true, useProtoFieldName: true } as const;

/**
 * Writes a message, or what one can be made from. JSON is Micro's dialect (wire §3.6): original field names, every field present, 64-bit integers
 * as strings, enums by name, bytes in base64, and null for a message that is absent. Throws 500 for a value its field cannot hold.
 */
export function encodeMessage<T extends DescMessage>(
  schema: T,
  message: MessageInitShape<T>,
  format: Format,
): Uint8Array {
  try {
    if (format === "proto") {
      const bytes = compiledCodec(schema)?.encode(message as Record<string, unknown>);
      if (bytes !== undefined) return bytes;
    }
    const whole = create(schema, message);
    if (format === "proto") return toBinary(schema, whole);
    const json = toJson(schema, whole, micro);
    nullAbsentMessages(schema, whole, json);
    return Buffer.from(JSON.stringify(json));
  } catch (error) {
    throw new MicroError(500, id, `Writing ${schema.typeName} failed: ${messageOf(error)}`, { cause: error });
  }
}

/**
 * Reads a message; no bytes are an empty message. JSON may name fields the original way or in camel case, may have unknown fields, and may give
 * numbers and booleans as strings. Bytes fields of a binary message share memory with `bytes`.
 * Throws 400 for anything else, naming the field, and for JSON more than 100 levels deep.
 */
export function decodeMessage<T extends DescMessage>(schema: T, bytes: Uint8Array, format: Format): MessageShape<T> {
  if (bytes.byteLength === 0) return create(schema);
  return format === "proto" ? fromProto(schema, bytes) : fromMicroJson(schema, bytes);
}

function fromProto<T extends DescMessage>(schema: T, bytes: Uint8Array): MessageShape<T> {
  const message = compiledCodec(schema)?.decode(bytes);
  if (message !== undefined) return message as MessageShape<T>;
  try {
    return fromBinary(schema, bytes);
  } catch (error) {
    throw unreadable(schema, error);
  }
}

function fromMicroJson<T extends DescMessage>(schema: T, bytes: Uint8Array): MessageShape<T> {
  const json = parseJson(schema, bytes);
  if (json === null) return create(schema);
  try {
    return fromJson(schema, json);
  } catch {
    // The second pass knows the path of what is wrong; the first is only fast.
    const converted = convertFields(schema, json);
    try {
      return fromJson(schema, converted);
    } catch (error) {
      throw unreadable(schema, error);
    }
  }
}

function unreadable(schema: DescMessage, error: unknown): MicroError {
  return new MicroError(400, id, `Reading ${schema.typeName} failed: ${messageOf(error)}`, { cause: error });
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
