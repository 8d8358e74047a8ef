import { deepEqual, equal, ok } from "node:assert/strict";
import { describe, it } from "node:test";
import { codeOfGrpcStatus, grpcStatusOf, isErrorCode, MicroError } from "./errors.ts";

describe("MicroError", () => {
  it("is Micro's four fields in JSON", () => {
    deepEqual(JSON.parse(JSON.stringify(MicroError.notFound("store.Store.Read", "not found"))), {
      id: "store.Store.Read",
      code: 404,
      detail: "not found",
      status: "Not Found",
    });
  });

  it("keeps what was caught as its cause", () => {
    const cause = new Error("disk full");
    const error = MicroError.from(cause, "store");
    equal(error.code, 500);
    equal(error.cause, cause);
    equal(MicroError.from(error, "other"), error);
  });

  it("tells a passed deadline from a cancelled call", () => {
    equal(MicroError.from(new DOMException("late", "TimeoutError"), "x").code, 408);
    equal(MicroError.from(new DOMException("gone", "AbortError"), "x").code, 499);
  });

  it("reads an error body and nothing else", () => {
    equal(MicroError.parse({ id: "a", code: 403, detail: "no" })?.code, 403);
    equal(MicroError.parse({ code: 0 }), undefined);
    equal(MicroError.parse("text"), undefined);
    equal(MicroError.parse(null), undefined);
    equal(MicroError.parse({ code: 799 })?.code, 500);
  });

  for (const [code, status] of [
    [400, 3],
    [401, 16],
    [403, 7],
    [404, 5],
    [408, 4],
    [409, 6],
    [412, 9],
    [500, 13],
    [501, 12],
    [503, 14],
    [405, 2],
  ] as const) {
    it(`travels code ${code} as gRPC status ${status}`, () => {
      equal(grpcStatusOf(code), status);
    });
  }

  it("has a code for every gRPC status", () => {
    for (let status = 0; status <= 20; status++) ok(isErrorCode(codeOfGrpcStatus(status)));
  });
});
