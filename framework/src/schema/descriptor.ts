import { create, createFileRegistry, type DescService, type MessageInitShape } from "@bufbuild/protobuf";
import {
  type DescriptorProtoSchema,
  type FieldDescriptorProtoSchema,
  FileDescriptorProtoSchema,
  file_google_protobuf_struct,
  FieldDescriptorProto_Label as Label,
  FieldDescriptorProto_Type as Type,
} from "@bufbuild/protobuf/wkt";
import type { MethodKind } from "@microts/core/rpc";
import { DeclaredNames, identifier, isIdentifier } from "./declared-names.ts";
import type { FieldShape, FieldType, MessageShape, Scalar } from "./shape.ts";

/** An endpoint that can be called in protobuf. */
export interface DescribedEndpoint {
  /** `Handler.Method`. */
  readonly name: string;
  readonly kind: MethodKind;
  readonly request: MessageShape;
  readonly response: MessageShape;
}

type Message = MessageInitShape<typeof DescriptorProtoSchema>;
type Field = MessageInitShape<typeof FieldDescriptorProtoSchema>;

/**
 * The .proto file that nobody had to write: what server reflection shows of a service, one protobuf service for each handler. Properties keep
 * their names in JSON; one whose name protobuf can't have, or that differs from another only in case or underscores, gets another one there.
 * Left out are endpoints whose name no protobuf method can have.
 */
export function describeService(service: string, endpoints: readonly DescribedEndpoint[]): readonly DescService[] {
  const file = new DescribedFile(service);
  const handlers = Map.groupBy(endpoints.filter(isNameable), ({ name }) => name.slice(0, name.indexOf(".")));
  for (const handler of handlers.keys()) file.names.take(handler);
  const services = [...handlers].map(([name, members]) => ({
    name,
    method: members.map((endpoint) => ({
      name: methodName(endpoint),
      inputType: file.message(endpoint.request),
      outputType: file.message(endpoint.response),
      clientStreaming: endpoint.kind === "client" || endpoint.kind === "bidi",
      serverStreaming: endpoint.kind === "server" || endpoint.kind === "bidi",
    })),
  }));
  const proto = create(FileDescriptorProtoSchema, {
    name: `${service}.proto`,
    package: file.package,
    syntax: "proto3",
    dependency: [file_google_protobuf_struct.proto.name],
    messageType: file.messages,
    service: services,
  });
  const registry = createFileRegistry(proto, (name) =>
    name === file_google_protobuf_struct.proto.name ? file_google_protobuf_struct : undefined,
  );
  return registry.getFile(proto.name)?.services ?? [];
}

function isNameable({ name }: DescribedEndpoint): boolean {
  return name.split(".").every(isIdentifier);
}

function methodName({ name }: DescribedEndpoint): string {
  return name.slice(name.indexOf(".") + 1);
}

class DescribedFile {
  readonly package: string;
  readonly names = new DeclaredNames();
  readonly messages: Message[] = [];

  constructor(service: string) {
    this.package = service.split(".").filter(Boolean).map(identifier).join(".");
  }

  /** Declares a message; its full name, as references have it. */
  message(shape: MessageShape): string {
    const name = this.names.take(identifier(shape.name));
    const fullName = `.${this.package}.${name}`;
    this.messages.push(describeMessage(name, fullName, shape));
    return fullName;
  }
}

/** Fields, oneofs and nested messages share one scope. */
function describeMessage(name: string, fullName: string, { fields }: MessageShape): Message {
  const names = new DeclaredNames();
  const named = new Map<FieldShape, string>();
  const isMap = ({ label }: FieldShape) => label === "map";
  // Maps first: a field can have another name, their entries can't.
  for (const field of [...fields.filter(isMap), ...fields.filter((each) => !isMap(each))]) {
    const fieldName = names.takeField(identifier(field.name));
    named.set(field, fieldName);
    if (isMap(field)) names.take(entryName(fieldName));
  }
  const nestedType: Message[] = [];
  const oneofDecl: { name: string }[] = [];
  const nest = (own: string, build: (fullName: string) => Message): string => {
    nestedType.push(build(`${fullName}.${own}`));
    return `${fullName}.${own}`;
  };
  const typed = (type: FieldType): Pick<Field, "type" | "typeName"> => {
    if (type === "any") return { type: Type.MESSAGE, typeName: ".google.protobuf.Value" };
    if (typeof type === "string") return { type: scalars[type] };
    const own = names.take(identifier(type.name));
    const typeName = nest(own, (full) => describeMessage(own, full, type));
    return { type: Type.MESSAGE, typeName };
  };
  const described = fields.map((field): Field => {
    const fieldName = named.get(field) ?? field.name;
    const common = { name: fieldName, jsonName: field.name, number: field.number };
    if (field.label === "map") {
      const value = typed(field.type);
      const own = entryName(fieldName);
      const typeName = nest(own, () => mapEntry(own, value));
      return { ...common, label: Label.REPEATED, type: Type.MESSAGE, typeName };
    }
    const label = field.label === "repeated" ? Label.REPEATED : Label.OPTIONAL;
    if (!hasPresence(field)) return { ...common, label, ...typed(field.type) };
    oneofDecl.push({ name: names.take(`_${fieldName}`) });
    return { ...common, label, ...typed(field.type), proto3Optional: true, oneofIndex: oneofDecl.length - 1 };
  });
  return { name, field: described, nestedType, oneofDecl };
}

/** Whether absent is something else than the type's zero value, which proto3 has to be told of a scalar. */
function hasPresence({ label, required, type }: FieldShape): boolean {
  return label === "single" && !required && typeof type === "string" && type !== "any";
}

function mapEntry(name: string, value: Pick<Field, "type" | "typeName">): Message {
  return {
    name,
    options: { mapEntry: true },
    field: [
      { name: "key", jsonName: "key", number: 1, label: Label.OPTIONAL, type: Type.STRING },
      { name: "value", jsonName: "value", number: 2, label: Label.OPTIONAL, ...value },
    ],
  };
}

/** `user_labels` → `UserLabelsEntry`, the name that a map's entries must have. */
function entryName(field: string): string {
  const words = field.split("_").map((word) => word.slice(0, 1).toUpperCase() + word.slice(1));
  return `${words.join("")}Entry`;
}

const scalars: Readonly<Record<Exclude<Scalar, "any">, Type>> = {
  string: Type.STRING,
  bytes: Type.BYTES,
  bool: Type.BOOL,
  int32: Type.INT32,
  int64: Type.INT64,
  uint32: Type.UINT32,
  uint64: Type.UINT64,
  float32: Type.FLOAT,
  float64: Type.DOUBLE,
};
