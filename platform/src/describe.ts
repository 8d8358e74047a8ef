import { type DescField, type DescMessage, ScalarType } from "@bufbuild/protobuf";
import type { Value } from "@microts/blocks/registry";

/** Nesting past this has no children (wire §6). */
const maxDepth = 6;

const scalars: Readonly<Record<ScalarType, string>> = {
  [ScalarType.DOUBLE]: "float64",
  [ScalarType.FLOAT]: "float32",
  [ScalarType.INT64]: "int64",
  [ScalarType.UINT64]: "uint64",
  [ScalarType.INT32]: "int32",
  [ScalarType.FIXED64]: "uint64",
  [ScalarType.FIXED32]: "uint32",
  [ScalarType.BOOL]: "bool",
  [ScalarType.STRING]: "string",
  [ScalarType.BYTES]: "[]uint8",
  [ScalarType.UINT32]: "uint32",
  [ScalarType.SFIXED32]: "int32",
  [ScalarType.SFIXED64]: "int64",
  [ScalarType.SINT32]: "int32",
  [ScalarType.SINT64]: "int64",
};

/** The registry's description of a protobuf message, as the original's reflection gives it (wire §6). */
export function describeMessage(message: DescMessage): Value {
  return { name: message.name, type: message.name, values: message.fields.map((field) => describeField(field, 1)) };
}

function describeField(field: DescField, depth: number): Value {
  const name = field.name;
  switch (field.fieldKind) {
    case "scalar":
      return { name, type: scalars[field.scalar], values: [] };
    case "enum":
      return { name, type: field.enum.name, values: [] };
    case "list":
      return { name, type: `[]${elementOf(field)}`, values: [] };
    case "map":
      return { name, type: `map[${scalars[field.mapKey]}]${elementOf(field)}`, values: [] };
    case "message": {
      const values = depth < maxDepth ? field.message.fields.map((inner) => describeField(inner, depth + 1)) : [];
      return { name, type: field.message.name, values };
    }
  }
}

function elementOf(field: DescField): string {
  if (field.scalar !== undefined) return scalars[field.scalar];
  return field.enum?.name ?? field.message?.name ?? "";
}
