import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Service } from "./contract.ts";
import { groupServices, searchServices } from "./service-group.ts";

const groups = groupServices([
  service("posts", "v2", ["Posts.List"]),
  service("blog", "v1"),
  service("posts", "v1", ["Posts.List", "Posts.Old"]),
]);

describe("groupServices", () => {
  it("puts versions together and sorts by name", () => {
    assert.deepEqual(
      groups.map(({ name, nodeCount, versions }) => [name, nodeCount, versions.map(({ version }) => version)]),
      [
        ["blog", 1, ["v1"]],
        ["posts", 2, ["v2", "v1"]],
      ],
    );
  });

  it("takes an endpoint from the version listed first", () => {
    const [, posts] = groups;
    assert.deepEqual(
      posts?.endpoints.map(({ name, description }) => [name, description]),
      [
        ["Posts.List", "v2"],
        ["Posts.Old", "v1"],
      ],
    );
  });
});

describe("searchServices", () => {
  it("finds every word in any case", () => {
    assert.deepEqual(
      searchServices(groups, " LO b").map(({ name }) => name),
      ["blog"],
    );
    assert.equal(searchServices(groups, "").length, 2);
    assert.equal(searchServices(groups, "zzz").length, 0);
  });
});

function service(name: string, version: string, endpoints: string[] = []): Service {
  return {
    name,
    version,
    metadata: {},
    nodes: [{ id: `${name}-1`, address: "127.0.0.1:1", metadata: {} }],
    endpoints: endpoints.map((endpoint) => ({
      name: endpoint,
      stream: false,
      description: version,
      request: null,
      response: null,
      metadata: {},
    })),
  };
}
