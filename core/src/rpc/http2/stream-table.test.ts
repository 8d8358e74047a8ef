// The table against a Map, whatever ids a client chooses: each second one, all in one place of the table, or far apart.
import { deepEqual, equal } from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { Stream, type StreamEvents, type StreamOwner } from "./stream.ts";
import { StreamTable } from "./stream-table.ts";

const stream = (id: number) => new Stream({} as StreamOwner, id, 0, 0, {} as StreamEvents);

const ids = fc.oneof(
  fc.nat({ max: 40 }).map((n) => 2 * n + 1),
  fc.nat({ max: 40 }).map((n) => 64 * n + 1),
  fc.nat({ max: 2 ** 30 - 1 }).map((n) => 2 * n + 1),
);
const steps = fc.array(fc.record({ id: ids, step: fc.constantFrom("add", "add", "delete", "clear") }), {
  maxLength: 200,
  size: "max",
});

describe("streams of a connection", () => {
  it("are found by their ids until they are deleted", () => {
    fc.assert(
      fc.property(steps, (sequence) => {
        const table = new StreamTable();
        const model = new Map<number, Stream>();
        for (const { id, step } of sequence) {
          const added = stream(id);
          if (step === "clear" && id % 16 === 1) {
            table.clear();
            model.clear();
          } else if (step === "delete") {
            table.delete(added);
            model.delete(id);
          } else if (!model.has(id)) {
            table.add(added);
            model.set(id, added);
          }
          equal(table.size, model.size);
          equal(table.get(id), model.get(id));
        }
        for (const [id, found] of model) equal(table.get(id), found, `stream ${id}`);
        const byId = (a: Stream, b: Stream) => a.id - b.id;
        deepEqual(table.values().toSorted(byId), [...model.values()].toSorted(byId));
      }),
      { numRuns: 2_000 },
    );
  });

  it("may be closed while all are gone through", () => {
    const table = new StreamTable();
    for (let id = 1; id < 2_000; id += 2) table.add(stream(id));
    for (const each of table.values()) table.delete(each);
    equal(table.size, 0);
    deepEqual(table.values(), []);
  });
});
