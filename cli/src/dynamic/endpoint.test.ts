import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { MicroError } from "@microts/core";
import type { Service } from "../registry.ts";
import { commandOf, findEndpoint } from "./endpoint.ts";

const endpoint = (name: string) => ({ name, request: undefined, response: undefined, metadata: {} });
const service = (name: string, endpoints: readonly string[]): Service => ({
  name,
  version: "latest",
  endpoints: endpoints.map(endpoint),
  nodes: [],
});
const blog = service("blog-api", ["BlogApi.Call", "BlogApi.ReadPost", "Comments.List", "Tags.List", "Comments.Add"]);

describe("findEndpoint", () => {
  const found: readonly [string[], string | undefined][] = [
    [[], "BlogApi.Call"],
    [["call"], "BlogApi.Call"],
    [["readPost"], "BlogApi.ReadPost"],
    [["read-post"], "BlogApi.ReadPost"],
    [["READPOST"], "BlogApi.ReadPost"],
    [["comments", "list"], "Comments.List"],
    [["Comments.List"], "Comments.List"],
    [["add"], "Comments.Add"],
  ];
  for (const [words, name] of found) {
    it(`takes "${words.join(" ")}" for ${name}`, () => assert.equal(findEndpoint(blog, words)?.name, name));
  }

  it("finds nothing without words where there is no Call", () => {
    assert.equal(findEndpoint(service("x", ["X.Read"]), []), undefined);
  });
  it("names what there is when a word is unknown", () => {
    const wanted = /Endpoint blog-api\.Reed not found|Endpoint Blog-api\.Reed not found/;
    assert.throws(
      () => findEndpoint(blog, ["reed"]),
      (error) => error instanceof MicroError && wanted.test(error.detail) && error.detail.includes("comments list"),
    );
  });
  it("refuses to choose between handlers", () => {
    assert.throws(() => findEndpoint(blog, ["list"]), /not found for service blog-api.*comments list.*tags list/);
  });
  it("refuses more than two words", () => {
    assert.throws(() => findEndpoint(blog, ["a", "b", "c"]), /Incorrect number of arguments/);
  });
});

describe("commandOf", () => {
  it("leaves out the service's own handler", () => {
    assert.deepEqual(
      blog.endpoints.map((each) => commandOf("blog-api", each)),
      ["call", "readPost", "comments list", "tags list", "comments add"],
    );
  });
});
