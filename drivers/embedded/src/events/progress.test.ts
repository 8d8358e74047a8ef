import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { EventProgress } from "./progress.ts";

describe("EventProgress", () => {
  it("is done with exactly what was added, also after it was written down and read again", () => {
    const steps = fc.array(fc.oneof(fc.nat(30), fc.tuple(fc.nat(30), fc.nat(30))), { maxLength: 40 });
    fc.assert(
      fc.property(fc.nat(5), steps, (position, adds) => {
        let progress = new EventProgress({ position, runs: [] });
        const model = new Set(Array.from({ length: position }, (_, i) => i));
        for (const step of adds) {
          if (typeof step === "number") {
            progress.add(step);
            model.add(step);
          } else {
            const [first, end] = step;
            progress.addAll(first, end);
            for (let at = first; at < end; at++) model.add(at);
            progress = new EventProgress(JSON.parse(JSON.stringify(progress.stored())));
          }
        }
        for (let at = 0; at < 40; at++) assert.equal(progress.has(at), model.has(at), `at ${at}`);
        assert.ok(!progress.has(progress.position));
        for (const end of [0, 7, 20, 40]) {
          const left = Array.from({ length: end }, (_, i) => i).filter((at) => !model.has(at)).length;
          assert.equal(progress.left(end), left, `left before ${end}`);
        }
      }),
      { numRuns: 2000 },
    );
  });

  it("keeps one stretch for neighbours", () => {
    const progress = new EventProgress({ position: 0, runs: [] });
    for (const at of [5, 3, 4, 9, 7, 8, 6]) progress.add(at);
    assert.deepEqual(progress.stored(), { position: 0, runs: [3, 7] });
    progress.addAll(0, 3);
    assert.deepEqual(progress.stored(), { position: 10, runs: [] });
  });
});
