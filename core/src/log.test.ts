import { deepEqual, doesNotThrow, equal, match } from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { type LogLevel, lineLog, logLevels, silent } from "./log.ts";

/** What a log at a level writes, without the time. */
function written(use: (log: ReturnType<typeof lineLog>) => void, level: LogLevel = "debug"): string[] {
  const lines: string[] = [];
  use(lineLog((line) => lines.push(line), level));
  return lines.map((line) => line.replace(/^\S+ /, ""));
}

describe("lineLog", () => {
  it("writes time, level, message and fields in one line", () => {
    const lines: string[] = [];
    lineLog((line) => lines.push(line)).info("serving", { port: 80, name: "a b", none: undefined, empty: "" });
    equal(lines.length, 1);
    match(lines[0] ?? "", /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z info {2}serving port=80 name="a b" empty=""\n$/);
  });

  for (const [index, level] of logLevels.entries()) {
    it(`at level ${level} leaves out what is less important`, () => {
      const lines = written((log) => {
        for (const each of logLevels) log[each]("x");
      }, level);
      deepEqual(
        lines,
        logLevels.slice(index).map((each) => `${each.padEnd(5)} x\n`),
      );
    });
  }

  it("adds the fields of with() to every line, the nearest winning", () => {
    deepEqual(
      written((log) => log.with({ a: 1, b: 1 }).with({ b: 2 }).warn("x", { c: 3 })),
      ["warn  x a=1 b=2 c=3\n"],
    );
  });

  it("writes an error as its message, without its stack", () => {
    deepEqual(
      written((log) => log.error("failed", { error: new Error("disk full") })),
      ['error failed error="disk full"\n'],
    );
  });

  for (const [what, text, escaped] of [
    ["a line feed", "a\nb", "a\\nb"],
    ["an escape sequence", "\u001b[2J", "\\u001b[2J"],
    ["an eight-bit escape sequence", "\u009b2J", "\\u009b2J"],
    ["a next line", "a\u0085b", "a\\u0085b"],
    ["a delete", "a\u007fb", "a\\u007fb"],
    ["a line separator", "a\u2028b", "a\\u2028b"],
    ["a turned writing direction", "a\u202eb", "a\\u202eb"],
  ] as const) {
    it(`escapes ${what} in a message, a value and a key`, () => {
      deepEqual(
        written((log) => log.info(text, { [text]: text })),
        [`info  ${escaped} ${escaped}="${escaped}"\n`],
      );
    });
  }

  it("never lets anything forge a line", () => {
    fc.assert(
      fc.property(
        fc.string({ unit: "binary" }),
        fc.string({ unit: "binary" }),
        fc.anything(),
        (message, key, value) => {
          const [line = "", ...more] = written((log) => log.info(message, { [key]: value }));
          equal(more.length, 0);
          match(line.slice(0, -1), /^(?:\t|[^\p{Cc}\u2028\u2029])*$/u);
          equal(line.at(-1), "\n");
        },
      ),
    );
  });

  it("writes a value that JSON can't hold rather than fail", () => {
    const circle: Record<string, unknown> = {};
    circle["self"] = circle;
    deepEqual(
      written((log) => log.info("x", { big: 10n, circle, fn: Symbol("s") })),
      ['info  x big=10 circle="[object Object]" fn=Symbol(s)\n'],
    );
  });
});

describe("silent", () => {
  it("says nothing, with fields or without", () => {
    doesNotThrow(() => {
      for (const level of logLevels) silent.with({ a: 1 })[level]("x", { b: 2 });
    });
    equal(silent.with({}), silent);
  });
});
