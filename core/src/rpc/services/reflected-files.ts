import type { DescEnum, DescExtension, DescFile, DescMessage, DescService } from "@bufbuild/protobuf";

/** What a server's services stand on: every file behind them, and where each name is declared. */
export class ReflectedFiles {
  /** Full names of the services, in order. */
  readonly services: readonly string[];
  readonly #files = new Map<string, DescFile>();
  readonly #symbols = new Map<string, DescFile>();
  /** By the extended message's full name, then by field number. */
  readonly #extensions = new Map<string, Map<number, DescFile>>();

  constructor(services: Iterable<DescService>) {
    const given = [...services];
    this.services = [...new Set(given.map(({ typeName }) => typeName))].toSorted();
    for (const { file } of given) this.#addFile(file);
  }

  /** By its path, such as `store/store.proto`. */
  file(name: string): DescFile | undefined {
    return this.#files.get(name);
  }

  /** The file that declares a service, method, message, field, oneof, enum, enum value or extension of this full name. */
  declaring(symbol: string): DescFile | undefined {
    return this.#symbols.get(symbol);
  }

  /** The file that declares the extension of a message under a field number. */
  extending(message: string, number: number): DescFile | undefined {
    return this.#extensions.get(message)?.get(number);
  }

  /** The field numbers that extend a message, in order; undefined for a name that is no message. */
  extensionNumbers(message: string): readonly number[] | undefined {
    const numbers = this.#extensions.get(message);
    if (numbers !== undefined) return [...numbers.keys()].toSorted((a, b) => a - b);
    return this.#symbols.has(message) ? [] : undefined;
  }

  #addFile(file: DescFile): void {
    const name = file.proto.name;
    if (this.#files.has(name)) return;
    this.#files.set(name, file);
    for (const dependency of file.dependencies) this.#addFile(dependency);
    for (const service of file.services) this.#addService(service);
    for (const message of file.messages) this.#addMessage(message);
    for (const each of file.enums) this.#addEnum(each);
    for (const extension of file.extensions) this.#addExtension(extension);
  }

  #addService({ typeName, methods, file }: DescService): void {
    this.#symbols.set(typeName, file);
    for (const { name } of methods) this.#symbols.set(`${typeName}.${name}`, file);
  }

  #addMessage(message: DescMessage): void {
    const { typeName, file } = message;
    this.#symbols.set(typeName, file);
    for (const { name } of [...message.fields, ...message.oneofs]) this.#symbols.set(`${typeName}.${name}`, file);
    for (const nested of message.nestedMessages) this.#addMessage(nested);
    for (const nested of message.nestedEnums) this.#addEnum(nested);
    for (const nested of message.nestedExtensions) this.#addExtension(nested);
  }

  /** Values are declared beside their enum, not in it (https://protobuf.dev/programming-guides/proto3/#enum). */
  #addEnum({ typeName, values, file }: DescEnum): void {
    this.#symbols.set(typeName, file);
    const scope = typeName.slice(0, typeName.lastIndexOf(".") + 1);
    for (const { name } of values) this.#symbols.set(scope + name, file);
  }

  #addExtension({ typeName, extendee, number, file }: DescExtension): void {
    this.#symbols.set(typeName, file);
    const numbers = this.#extensions.get(extendee.typeName) ?? new Map<number, DescFile>();
    this.#extensions.set(extendee.typeName, numbers.set(number, file));
  }
}
