import { deepEqual, equal, match, ok } from "node:assert/strict";
import { describe, it } from "node:test";
import { fromBinary } from "@bufbuild/protobuf";
import { BinaryReader } from "@bufbuild/protobuf/wire";
import { AnySchema } from "@bufbuild/protobuf/wkt";
import { ErrorSchema } from "@microts/proto/errors";
import fc from "fast-check";
import { MicroError } from "../errors.ts";
import { decodeStatusMessage, encodeStatusMessage, errorOf, statusOf } from "./status.ts";
import { StatusError } from "./transport.ts";

const status = (code: number, message: string) => ({ code, message, trailers: {} });

describe("a status message", () => {
  it("is read as it was written, and is printable ASCII in between", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (message) => {
        const encoded = encodeStatusMessage(message);
        match(encoded, /^[\x20-\x7e]*$/);
        equal(decodeStatusMessage(encoded), message);
      }),
    );
  });

  it("keeps what is no escape", () => {
    for (const text of ["100%", "%zz", "%4", "é % ü 😀"]) equal(decodeStatusMessage(text), text);
    equal(decodeStatusMessage("😀%20%C3%A9%"), "😀 é%");
  });
});

describe("statusOf", () => {
  it("writes Micro's error as JSON in the message (wire §4)", () => {
    const { code, message } = statusOf(MicroError.notFound("store.Store.Read", "no <record>"), "other");
    equal(code, 5);
    deepEqual(JSON.parse(message), {
      id: "store.Store.Read",
      code: 404,
      detail: "no <record>",
      status: "Not Found",
    });
  });

  it("writes google.rpc.Status with errors.Error in the details (wire §4)", () => {
    const { code, message, details } = statusOf(MicroError.conflict("auth.Auth.Generate", "ä taken"), "other");
    const reader = new BinaryReader(Buffer.from(details ?? "", "base64"));
    deepEqual([reader.tag(), reader.int32()], [[1, 0], code]);
    deepEqual([reader.tag(), reader.string()], [[2, 2], message]);
    deepEqual(reader.tag(), [3, 2]);
    const any = fromBinary(AnySchema, reader.bytes());
    equal(reader.pos, reader.len);
    equal(any.typeUrl, "type.googleapis.com/errors.Error");
    const { id, code: micro, detail, status } = fromBinary(ErrorSchema, any.value);
    deepEqual(
      { id, micro, detail, status },
      { id: "auth.Auth.Generate", micro: 409, detail: "ä taken", status: "Conflict" },
    );
  });

  it("passes the status of a StatusError through", () => {
    const given = { code: 15, message: "x", details: "AA", trailers: { a: "b" } };
    equal(statusOf(new StatusError(given), "id"), given);
  });

  it("makes anything else thrown a 500 under the call's id", () => {
    equal(errorOf(statusOf("text", "a.A.B"), "x").id, "a.A.B");
    equal(errorOf(statusOf(undefined, "a.A.B"), "x").code, 500);
  });

  it("fits into trailers however long the detail is", () => {
    for (const unit of ["x", "\u0001", "語", "😀"]) {
      const { message, details = "" } = statusOf(MicroError.badRequest("a", unit.repeat(100_000)), "id");
      ok(encodeStatusMessage(message).length + details.length < 60_000);
      const { code, detail } = errorOf(status(3, message), "id");
      equal(code, 400);
      match(detail, /characters left out\)$/);
    }
  });
});

describe("errorOf", () => {
  it("reads the error that statusOf wrote", () => {
    fc.assert(
      fc.property(
        fc.constantFrom(400, 401, 403, 404, 408, 409, 412, 429, 500, 501, 503),
        fc.string(),
        (code, detail) => {
          const error = new MicroError(code, "a.A.B", detail);
          // A detail that is itself such an error is taken for a proxy's.
          if (!detail.startsWith("{")) deepEqual(errorOf(statusOf(error, "x"), "y").toJSON(), error.toJSON());
        },
      ),
    );
  });

  it("takes the innermost of the errors that proxies nested (wire §4)", () => {
    let error = MicroError.notFound("store.Store.Read", "the real one");
    for (const hop of ["go.micro.proxy", "go.micro.client", "network"])
      error = MicroError.internal(hop, JSON.stringify(error));
    const { code, id, detail } = errorOf(status(13, JSON.stringify(error)), "x");
    deepEqual({ code, id, detail }, { code: 404, id: "store.Store.Read", detail: "the real one" });
  });

  it("keeps a detail that is JSON but no error", () => {
    for (const detail of ['{"a":1}', "{", '{"code":0}', "[1]", '{"code":"x"}'])
      equal(errorOf(status(3, JSON.stringify(MicroError.badRequest("a", detail))), "x").detail, detail);
  });

  for (const [grpc, micro] of [
    [1, 499],
    [3, 400],
    [4, 408],
    [5, 404],
    [8, 429],
    [12, 501],
    [14, 503],
    [16, 401],
    [2, 500],
    [99, 500],
  ] as const) {
    it(`makes plain text with status ${grpc} a ${micro}`, () => {
      const { code, id, detail } = errorOf(status(grpc, "plain"), "x.X.Y");
      deepEqual({ code, id, detail }, { code: micro, id: "x.X.Y", detail: "plain" });
    });
  }

  it("says the status when there is no text", () => {
    equal(errorOf(status(7, ""), "x").detail, "the call ended with gRPC status 7");
  });
});
