import { deepEqual, equal } from "node:assert/strict";
import { glob, readFile } from "node:fs/promises";
import { join } from "node:path";
import { before, describe, it } from "node:test";
import type { DescField, DescFile, DescMessage, DescMethod } from "@bufbuild/protobuf";
import { Edition, FieldDescriptorProto_Type, type FileDescriptorProto } from "@bufbuild/protobuf/wkt";
import additions from "./additions.json" with { type: "json" };
import contract from "./contract.json" with { type: "json" };
import manifest from "./package.json" with { type: "json" };

interface Table {
  readonly file: string;
  readonly services: Readonly<Record<string, Readonly<Record<string, string>>>>;
  readonly messages: Readonly<Record<string, string>>;
}

const folder = import.meta.dirname;
const ours: Readonly<Record<string, Partial<Pick<Table, "services" | "messages">>>> = additions;
const kinds: Readonly<Record<DescMethod["methodKind"], string>> = {
  unary: "unary",
  server_streaming: "server stream",
  client_streaming: "client stream",
  bidi_streaming: "bidi",
};

describe("the compiled protos of Micro", () => {
  let files: DescFile[] = [];
  before(async () => {
    const paths = await Array.fromAsync(glob("gen/**/*_pb.ts", { cwd: folder, exclude: ["gen/grpc/**"] }));
    files = await Promise.all(paths.toSorted().map(descriptorIn));
  });

  for (const wanted of contract) {
    it(`are exactly the contract and our additions in ${wanted.file}`, () => {
      const file = files.find(({ proto }) => proto.name === wanted.file);
      deepEqual(file && tableOf(file), withAdditions(wanted));
    });
  }

  it("add to files of the contract only", () => {
    const known = new Set(contract.map(({ file }) => file));
    deepEqual(
      Object.keys(ours).filter((file) => !known.has(file)),
      [],
    );
  });

  it("hold nothing the contract does not name", () => {
    deepEqual(files.map(({ proto }) => proto.name).toSorted(), contract.map(({ file }) => file).toSorted());
  });

  it("stand on a contract with the counts of Micro v3", () => {
    const tables: readonly Table[] = contract;
    const messages = tables.flatMap((table) => Object.values(table.messages));
    deepEqual(
      {
        files: tables.length,
        services: tables.flatMap(({ services }) => Object.keys(services)).length,
        rpcs: tables.flatMap(({ services }) => Object.values(services)).flatMap((rpcs) => Object.keys(rpcs)).length,
        messages: messages.length,
        fields: messages.flatMap((fields) => fields.match(/\d+ \w+: /g) ?? []).length,
        enums: contract.flatMap(({ enums }) => Object.keys(enums)).length,
      },
      { files: 24, services: 26, rpcs: 80, messages: 225, fields: 482, enums: 6 },
    );
  });

  it("are proto3 without optional fields and oneofs", () => {
    for (const file of files) {
      equal(file.edition, Edition.EDITION_PROTO3, file.name);
      for (const message of file.messages) {
        equal(message.oneofs.length, 0, message.typeName);
        for (const { proto } of message.fields) equal(proto.proto3Optional, false, `${message.typeName}.${proto.name}`);
      }
    }
  });

  it("keep their names in JSON apart from camel case", () => {
    for (const field of files.flatMap(({ messages }) => messages).flatMap(({ fields }) => fields)) {
      equal(field.jsonName, camelCase(field.name), String(field));
    }
  });
});

describe("@microts/proto", () => {
  it("exports every package that is not a test", async () => {
    const exported = Object.values(manifest.exports).map((path) =>
      path.replace("./gen/", "").replace("_pb.ts", ".proto"),
    );
    const sources = await Array.fromAsync(glob("**/*.proto", { cwd: folder, exclude: ["node_modules/**"] }));
    const wanted = sources.filter((file) => !file.startsWith("test/"));
    deepEqual(exported.toSorted(), wanted.toSorted());
    for (const path of Object.values(manifest.exports)) await readFile(join(folder, path));
  });
});

async function descriptorIn(path: string): Promise<DescFile> {
  const module: Record<string, unknown> = await import(join(folder, path));
  const file = Object.values(module).find(isFile);
  if (!file) throw new Error(`${path} exports no file descriptor`);
  return file;
}

function isFile(value: unknown): value is DescFile {
  return typeof value === "object" && value !== null && "kind" in value && value.kind === "file";
}

/** The contract of a file with what this project adds to it: services, rpcs and messages, and fields behind those of a message. */
function withAdditions<T extends Table>(table: T): T {
  const { services = {}, messages = {} } = ours[table.file] ?? {};
  const merged = { services: { ...table.services }, messages: { ...table.messages } };
  for (const [name, rpcs] of Object.entries(services)) merged.services[name] = { ...table.services[name], ...rpcs };
  for (const [name, fields] of Object.entries(messages))
    merged.messages[name] = [table.messages[name], fields].filter(Boolean).join(", ");
  return { ...table, ...merged };
}

/** A compiled file, written as the contract writes it. */
function tableOf(file: DescFile): unknown {
  return {
    file: file.proto.name,
    package: file.proto.package,
    goPackage: goPackageOf(file.proto),
    services: Object.fromEntries(file.services.map(({ name, methods }) => [name, rpcs(methods)])),
    messages: Object.fromEntries(file.messages.map((message) => [message.name, fieldsOf(message)])),
    enums: Object.fromEntries(
      file.enums.map(({ name, values }) => [name, values.map((value) => `${value.name}=${value.number}`).join(", ")]),
    ),
  };
}

function goPackageOf({ options }: FileDescriptorProto): string {
  return options?.goPackage ?? "";
}

function rpcs(methods: readonly DescMethod[]): Record<string, string> {
  return Object.fromEntries(
    methods.map(({ name, input, output, methodKind }) => [
      name,
      `${input.name} -> ${output.name}, ${kinds[methodKind]}`,
    ]),
  );
}

function fieldsOf(message: DescMessage): string {
  const fields = message.fields.map((field) => `${field.number} ${field.name}: ${typeOf(field)}`).join(", ");
  const reserved = message.proto.reservedRange.map(({ start }) => start).join(", ");
  if (reserved === "") return fields;
  return `${fields}; reserved ${reserved}`;
}

function typeOf(field: DescField): string {
  if (field.fieldKind === "list") return `repeated ${single(field)}`;
  if (field.fieldKind === "map") return `map<${scalarName(field.mapKey)},${single(field)}>`;
  return single(field);
}

/** The type of one value: a scalar's name, or that of a message or enum, with its package when it is another's. */
function single(field: DescField): string {
  const named = field.message ?? field.enum;
  if (!named) return field.scalar === undefined ? "" : scalarName(field.scalar);
  return named.file === field.parent.file ? named.name : named.typeName;
}

/** The numbers of scalar types are those of field types. */
function scalarName(scalar: number): string {
  return FieldDescriptorProto_Type[scalar]?.toLowerCase() ?? `type ${scalar}`;
}

function camelCase(name: string): string {
  return name.replaceAll(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
}
