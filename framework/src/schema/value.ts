import type { Value } from "@microts/blocks/registry";
import type { FieldShape, FieldType, MessageShape, Scalar } from "./shape.ts";

const typeNames: Readonly<Partial<Record<Scalar, string>>> = { bytes: "[]uint8", any: "google.protobuf.Value" };

/** The registry's description of a message (wire §6): what command lines and dashboards build their forms from. */
export function registryValue(shape: MessageShape): Value {
  return { name: shape.name, type: shape.name, values: shape.fields.map(fieldValue) };
}

function fieldValue({ name, type, label }: FieldShape): Value {
  const values = typeof type !== "string" && label === "single" ? type.fields.map(fieldValue) : [];
  return { name, type: labelled(typeName(type), label), values };
}

function typeName(type: FieldType): string {
  return typeof type === "string" ? (typeNames[type] ?? type) : type.name;
}

function labelled(name: string, label: FieldShape["label"]): string {
  if (label === "repeated") return `[]${name}`;
  return label === "map" ? `map[string]${name}` : name;
}
