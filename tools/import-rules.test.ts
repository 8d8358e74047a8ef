import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, describe, it } from "node:test";
import { checkImports } from "./import-rules.ts";

const packages = [
  "proto",
  "core",
  "blocks",
  "drivers/embedded",
  "drivers/nats",
  "framework",
  "platform",
  "dashboard",
  "cli",
  "testing",
];

/** One file with one import that must be refused, and what the line must say. */
const forbidden: { rule: string; file: string; text: string; says: RegExp }[] = [
  {
    rule: "layers",
    file: "core/src/a.ts",
    text: `import { x } from "@microts/blocks/store";`,
    says: /core may import only proto/,
  },
  {
    rule: "layers",
    file: "core/src/a.ts",
    text: `import type { X } from "@microts/blocks/store";`,
    says: /core may import only proto/,
  },
  {
    rule: "layers",
    file: "core/src/a.ts",
    text: `export { type X } from "@microts/blocks/store";`,
    says: /core may import only proto/,
  },
  {
    rule: "layers",
    file: "core/src/a.ts",
    text: `type X = import("@microts/blocks/store").X;`,
    says: /core may import only proto/,
  },
  {
    rule: "layers",
    file: "core/src/a.ts",
    text: `await import("@microts/blocks/store");`,
    says: /core may import only proto/,
  },
  { rule: "layers", file: "cli/src/a.ts", text: `import "@microts/driver-embedded";`, says: /cli may import only/ },
  {
    rule: "layers",
    file: "framework/src/a.ts",
    text: `import "@microts/driver-embedded";`,
    says: /framework may import only/,
  },
  {
    rule: "layers",
    file: "drivers/nats/src/a.ts",
    text: `import "@microts/driver-embedded";`,
    says: /never imports another driver/,
  },
  {
    rule: "layers",
    file: "dashboard/src/a.ts",
    text: `import { x } from "@microts/core";`,
    says: /dashboard may import nothing/,
  },
  { rule: "private", file: "platform/src/a.ts", text: `import "@microts/testing";`, says: /testing is never imported/ },
  { rule: "private", file: "core/src/a.ts", text: `import "./b.test.ts";`, says: /test file is never imported/ },
  {
    rule: "blocks",
    file: "blocks/src/broker/a.ts",
    text: `import "../store/index.ts";`,
    says: /broker block may use nothing/,
  },
  {
    rule: "blocks",
    file: "blocks/src/api/a.ts",
    text: `import "@microts/blocks/store";`,
    says: /api block may use only auth, registry/,
  },
  {
    rule: "block-index",
    file: "blocks/src/auth/a.ts",
    text: `import "../store/store.ts";`,
    says: /through its index.ts/,
  },
  {
    rule: "package-names",
    file: "blocks/src/auth/a.ts",
    text: `import "../../../core/src/index.ts";`,
    says: /by its name/,
  },
  {
    rule: "proto-stands-alone",
    file: "proto/src/a.ts",
    text: `import "node:fs";`,
    says: /needs @bufbuild\/protobuf only/,
  },
  {
    rule: "dashboard-in-browser",
    file: "dashboard/src/a.ts",
    text: `import "node:fs";`,
    says: /a browser has no Node/,
  },
  { rule: "no-cycles", file: "core/src/a.ts", text: `import "./a.ts";`, says: /core\/src\/a.ts → core\/src\/a.ts/ },
];

const allowed: { file: string; text: string }[] = [
  {
    file: "blocks/src/auth/a.ts",
    text: `import { x } from "../store/index.ts"; import "@microts/core"; import "node:fs";`,
  },
  { file: "core/src/a.test.ts", text: `import "@microts/driver-embedded"; import "@microts/testing";` },
  {
    file: "dashboard/src/a.ts",
    text: `import type { X } from "@microts/core"; import { type X as Y } from "@microts/core";`,
  },
  { file: "core/src/a.ts", text: `await using file = await open(); const text = 'import "@microts/blocks/store"';` },
];

describe("import rules", () => {
  let root: string;

  before(async () => {
    root = await mkdtemp(join(tmpdir(), "micro-imports-"));
    await write("package.json", JSON.stringify({ workspaces: packages }));
    for (const folder of packages) await write(`${folder}/package.json`, JSON.stringify(manifest(folder)));
  });
  after(() => rm(root, { recursive: true }));

  for (const { rule, file, text, says } of forbidden) {
    it(`refuses ${text} in ${file} by the rule ${rule}`, async () => {
      const [line = "", ...others] = await checkWith(file, text);
      assert.ok(line.includes(` ${rule}: `), line);
      assert.ok(line.startsWith(file), line);
      assert.match(line, says);
      assert.deepEqual(others, []);
    });
  }

  for (const { file, text } of allowed) {
    it(`allows ${text} in ${file}`, async () => {
      assert.deepEqual(await checkWith(file, text), []);
    });
  }

  it("names every file of a longer cycle", async () => {
    await write("core/src/b.ts", `import type { X } from "./a.ts";`);
    assert.deepEqual(await checkWith("core/src/a.ts", `import "./b.ts";`), [
      "core/src/a.ts no-cycles: core/src/a.ts → core/src/b.ts → core/src/a.ts",
    ]);
    await rm(join(root, "core/src/b.ts"));
  });

  async function checkWith(file: string, text: string): Promise<string[]> {
    await write(file, text);
    const lines = await checkImports(root);
    await rm(join(root, file));
    return lines;
  }

  async function write(file: string, text: string): Promise<void> {
    await mkdir(dirname(join(root, file)), { recursive: true });
    await writeFile(join(root, file), text);
  }
});

function manifest(folder: string): { name: string; exports: Record<string, string> } {
  const exports = folder === "blocks" ? { "./store": "./src/store/index.ts" } : { ".": "./src/index.ts" };
  const name = folder === "drivers/embedded" ? "driver-embedded" : folder.replace("drivers/", "driver-");
  return { name: `@microts/${name}`, exports };
}
