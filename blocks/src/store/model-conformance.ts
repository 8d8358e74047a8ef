import { deepEqual, equal } from "node:assert/strict";
import fc from "fast-check";
import type { StoreTest } from "./conformance-records.ts";
import type { StoreDriver, StoreQuery, StoreTable } from "./driver.ts";
import { bytesOfKey, keyOfBytes } from "./keys.ts";

export interface ModelHarness {
  open(): Promise<StoreDriver>;
  /** How many random sequences of operations are tried. */
  readonly sequences: number;
}

type Model = Map<string, string>;

interface Run {
  readonly driver: StoreDriver;
  readonly table: StoreTable;
  readonly model: Model;
  /** Revisions seen, by key. */
  readonly revisions: Map<string, number>;
}

const signal = new AbortController().signal;

const key = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom("a", "a/", "a/b", "b", "é", "😀", "\u0000", "\udcff", "\udc80a") },
  { weight: 2, arbitrary: fc.string({ unit: "grapheme", minLength: 1, maxLength: 4 }) },
  { weight: 1, arbitrary: fc.uint8Array({ minLength: 1, maxLength: 3 }).map(keyOfBytes) },
);
const affix = fc.oneof(fc.constantFrom("", "a", "b", "/"), key);
const query = fc.record({
  prefix: affix,
  suffix: affix,
  limit: fc.nat(4),
  offset: fc.nat(3),
  order: fc.constantFrom("asc" as const, "desc" as const),
});
/** Which revision a change asks for: any, none, the record's own or another. */
const revision = fc.constantFrom("any" as const, "none" as const, "own" as const, "other" as const);
const change = fc.record({ key, value: fc.option(fc.string({ maxLength: 5 })), revision });

const operation = fc.oneof(
  { weight: 4, arbitrary: fc.record({ key, value: fc.string({ maxLength: 5 }), isExpired: fc.boolean() }).map(write) },
  { weight: 1, arbitrary: key.map(remove) },
  { weight: 1, arbitrary: key.map(read) },
  { weight: 2, arbitrary: query.map(list) },
  { weight: 2, arbitrary: fc.uniqueArray(change, { selector: ({ key: of }) => of, maxLength: 4 }).map(commit) },
);

type Operation = (run: Run) => Promise<void>;

/** Random sequences of operations have to do to a driver what they do to a sorted map (ST-03). */
export function storeModel(test: StoreTest, { open, sequences }: ModelHarness): void {
  test(`answers as a sorted map would, in ${sequences} sequences (ST-03)`, async () => {
    await using driver = await open();
    let tables = 0;
    const sequence = fc.array(operation, { minLength: 1, maxLength: 12 });
    await fc.assert(
      fc.asyncProperty(sequence, async (operations) => {
        const table = { database: "model", table: String(tables++) };
        const run = { driver, table, model: new Map(), revisions: new Map() };
        for (const operate of operations) await operate(run);
      }),
      { numRuns: sequences },
    );
  });
}

function write({ key: at, value, isExpired }: { key: string; value: string; isExpired: boolean }): Operation {
  return named(`write ${JSON.stringify({ at, value, isExpired })}`, async ({ driver, table, model, revisions }) => {
    const expiresAt = isExpired ? new Date(Date.now() - 1) : undefined;
    const record = { key: at, value: Buffer.from(value), metadata: {}, expiresAt };
    revisions.set(at, await driver.write(table, record, signal));
    if (isExpired) model.delete(at);
    else model.set(at, value);
  });
}

function remove(at: string): Operation {
  return named(`delete ${JSON.stringify(at)}`, async ({ driver, table, model }) => {
    await driver.delete(table, at, signal);
    model.delete(at);
  });
}

function read(at: string): Operation {
  return named(`read ${JSON.stringify(at)}`, async ({ driver, table, model, revisions }) => {
    const found = await driver.read(table, at, signal);
    equal(found && Buffer.from(found.value).toString(), model.get(at));
    if (found !== undefined) equal(found.revision, revisions.get(at));
  });
}

function list(asked: StoreQuery): Operation {
  return named(`list ${JSON.stringify(asked)}`, async ({ driver, table, model }) => {
    const found = await driver.list(table, asked, signal);
    const expected = matches(model, asked);
    const { limit, offset } = asked;
    const page = expected.slice(offset, limit === 0 ? undefined : offset + limit);
    deepEqual(
      found.map((one) => [one.key, Buffer.from(one.value).toString()]),
      page,
    );
    deepEqual(
      await driver.keys(table, asked, signal),
      page.map(([at]) => at),
    );
    equal(await driver.count(table, asked, signal), expected.length);
  });
}

interface Asked {
  readonly key: string;
  readonly value: string | null;
  readonly revision: "any" | "none" | "own" | "other";
}

function commit(asked: readonly Asked[]): Operation {
  return named(`commit ${JSON.stringify(asked)}`, async ({ driver, table, model, revisions }) => {
    const changes = asked.map(({ key: at, value, revision: which }) => {
      const own = model.has(at) ? (revisions.get(at) ?? 0) : 0;
      const ifRevision = { any: undefined, none: 0, own, other: own + 1_000_000_000 }[which];
      const record =
        value === null ? undefined : { key: at, value: Buffer.from(value), metadata: {}, expiresAt: undefined };
      return { change: { key: at, record, ifRevision }, isMet: ifRevision === undefined || ifRevision === own };
    });
    const done = await driver.commit(
      table,
      changes.map((each) => each.change),
      signal,
    );
    equal(
      done !== undefined,
      changes.every(({ isMet }) => isMet),
    );
    if (done === undefined) return;
    for (const { key: at, value } of asked) {
      if (value === null) model.delete(at);
      else {
        model.set(at, value);
        revisions.set(at, (await driver.read(table, at, signal))?.revision ?? -1);
      }
    }
  });
}

function matches(model: Model, { prefix, suffix, order }: StoreQuery): [string, string][] {
  const found = [...model].filter(([at]) => hasAffixes(Buffer.from(bytesOfKey(at)), prefix, suffix));
  return found.sort(([a], [b]) => Buffer.compare(bytesOfKey(a), bytesOfKey(b)) * (order === "desc" ? -1 : 1));
}

function hasAffixes(bytes: Buffer, prefix: string, suffix: string): boolean {
  const [first, last] = [bytesOfKey(prefix), bytesOfKey(suffix)];
  const end = bytes.subarray(Math.max(0, bytes.length - last.length));
  return bytes.subarray(0, first.length).equals(first) && end.equals(last);
}

/** So that a failure says which operations led to it. */
function named(name: string, operation: Operation): Operation {
  return Object.assign(operation, { toString: () => name });
}
