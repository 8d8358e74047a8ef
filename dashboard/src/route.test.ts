import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { pathTo, routeOf } from "./route.ts";

describe("routeOf", () => {
  it("reads back every path it makes", () => {
    for (const route of [
      {},
      { service: "a" },
      { service: "go.a/b", endpoint: "A.B" },
      { service: "<i>?#%", endpoint: "ü" },
    ]) {
      assert.deepEqual(routeOf(pathTo(route)), route);
    }
  });

  it("knows no other pages, broken ones included", () => {
    for (const path of ["//evil.example", "/x", "/services/%E0%A4%A", "/services/a/b/c"]) {
      assert.equal(routeOf(path), undefined);
    }
  });
});
