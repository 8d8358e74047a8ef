/** Names of one scope of a .proto file, each once: the second of a name gets a number. */
export class DeclaredNames {
  readonly #taken = new Set<string>();
  /** Fields must differ in more than case and underscores: code generators make the same name of both. */
  readonly #fields = new Set<string>();

  take(wanted: string): string {
    return this.#take(wanted, (name) => !this.#taken.has(name));
  }

  takeField(wanted: string): string {
    const name = this.#take(wanted, (each) => !this.#taken.has(each) && !this.#fields.has(folded(each)));
    this.#fields.add(folded(name));
    return name;
  }

  #take(wanted: string, isFree: (name: string) => boolean): string {
    let name = wanted;
    for (let n = 2; !isFree(name); n++) name = `${wanted}${n}`;
    this.#taken.add(name);
    return name;
  }
}

function folded(name: string): string {
  return name.replaceAll("_", "").toLowerCase();
}

/** Whether protobuf can name something so (https://protobuf.dev/reference/protobuf/proto3-spec, Identifiers). */
export function isIdentifier(name: string): boolean {
  return /^[A-Za-z_][A-Za-z0-9_]*$/.test(name);
}

/** The nearest name that protobuf can have. */
export function identifier(name: string): string {
  const plain = name.replaceAll(/[^A-Za-z0-9_]/g, "_");
  return isIdentifier(plain) ? plain : `_${plain}`;
}
