import type { StoreTable } from "@microts/blocks/store";
import type { EmbeddedDatabase } from "./sqlite/index.ts";

const blob = "CAST(? AS BLOB)";
const findSql = `SELECT id FROM tables WHERE database = ${blob} AND name = ${blob}`;
const makeSql = `INSERT INTO tables (database, name) VALUES (${blob}, ${blob}) ON CONFLICT DO NOTHING`;
const maxKnown = 20_000;
const never = new AbortController().signal;

/** The numbers of tables, which stay what they are. */
export class StoreTables {
  readonly #database: EmbeddedDatabase;
  readonly #known = new Map<string, Promise<number>>();
  readonly #numbers = new Map<string, number>();
  /** The one that was asked for last, which most calls ask for again. */
  #last: { readonly table: StoreTable; readonly number: number } | undefined;

  constructor(database: EmbeddedDatabase) {
    this.#database = database;
  }

  /** Undefined when it has to be looked up. */
  known(table: StoreTable): number | undefined {
    const last = this.#last;
    if (last !== undefined && last.table.database === table.database && last.table.table === table.table)
      return last.number;
    const number = this.#numbers.get(keyOf(table));
    if (number !== undefined) this.#last = { table, number };
    return number;
  }

  /** Undefined when there is no such table. */
  async find(table: StoreTable): Promise<number | undefined> {
    const known = this.#known.get(keyOf(table));
    if (known !== undefined) return known;
    const row = await this.#database.readOne(findSql, [table.database, table.table], never);
    if (row === undefined) return undefined;
    const id = Number(row[0]);
    if (!this.#known.has(keyOf(table))) this.#remember(table, Promise.resolve(id));
    return id;
  }

  /** Makes the table when there is none. Callers go on in the order in which they called. */
  findOrMake(table: StoreTable): Promise<number> {
    return this.#known.get(keyOf(table)) ?? this.#remember(table, this.#make(table));
  }

  /** Resolves when no caller waits for a table any more. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.#known.values());
    // Whoever waited has been told, and has asked for what it wanted.
    await new Promise((resolve) => setImmediate(resolve));
  }

  async #make({ database, table }: StoreTable): Promise<number> {
    const params = [database, table];
    const job = [
      { sql: makeSql, params },
      { sql: findSql, params },
    ];
    const [, rows] = await this.#database.write(job, never);
    return Number(rows?.[0]?.[0]);
  }

  #remember(table: StoreTable, id: Promise<number>): Promise<number> {
    const key = keyOf(table);
    if (this.#known.size >= maxKnown) {
      this.#known.clear();
      this.#numbers.clear();
    }
    this.#known.set(key, id);
    id.then(
      (number) => this.#numbers.set(key, number),
      () => this.#known.delete(key),
    );
    return id;
  }
}

function keyOf({ database, table }: StoreTable): string {
  return `${database.length}/${database}${table}`;
}
