import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { commands } from "../cli/src/commands.ts";
import { cliReference, updateCliReference } from "./cli-reference.ts";

describe("docs/reference/cli.md", () => {
  it("is what the commands say (else: npm run generate)", async () => {
    assert.equal(await updateCliReference({ check: true }), true);
  });

  it("names every command", async () => {
    const text = await cliReference();
    for (const name of Object.keys(commands)) assert.match(text, new RegExp(`^## micro ${name}$`, "m"));
    assert.match(text, /`micro auth create rule <id>`/);
  });

  it("has no example that isn't a command", async () => {
    const examples = [...(await cliReference()).matchAll(/^micro (\S+).*$/gm)];
    assert.ok(examples.length > 50);
    assert.deepEqual(
      examples.filter(([, name = ""]) => !Object.hasOwn(commands, name)).map(([line]) => line),
      [],
    );
  });
});
