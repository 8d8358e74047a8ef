import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { matchesTopic } from "../../../blocks/src/broker/topics.ts";
import { TopicIndex } from "./topic-index.ts";

const part = fc.constantFrom("a", "b", "", "*b");
const topics = fc.array(part, { minLength: 1, maxLength: 4 }).map((parts) => parts.join("."));
const patterns = fc
  .tuple(fc.array(fc.oneof(part, fc.constant("*")), { minLength: 1, maxLength: 4 }), fc.constantFrom("", ".>"))
  .map(([parts, end]) => parts.join(".") + end);

describe("TopicIndex", () => {
  it("finds exactly the patterns that mean a topic, whatever was added and removed before", () => {
    const changes = fc.array(fc.record({ pattern: patterns, isGone: fc.boolean() }), { maxLength: 30 });
    fc.assert(
      fc.property(changes, topics, (changed, topic) => {
        const index = new TopicIndex<number>();
        const left: number[] = [];
        for (const [entry, { pattern }] of changed.entries()) index.add(pattern, entry);
        for (const [entry, { pattern, isGone }] of changed.entries()) {
          if (isGone) index.remove(pattern, entry);
          else if (matchesTopic(pattern, topic)) left.push(entry);
        }
        assert.deepEqual(
          index.match(topic).toSorted((a, b) => a - b),
          left,
        );
        assert.equal(index.size, changed.filter(({ isGone }) => !isGone).length);
      }),
      { numRuns: 2_000 },
    );
  });

  it("removes what isn't there without an error", () => {
    const index = new TopicIndex<number>();
    index.add("a.b", 1);
    index.remove("a", 1);
    index.remove("a.b.c", 1);
    index.remove("a.b", 2);
    assert.deepEqual(index.match("a.b"), [1]);
  });
});
