// What reflection shows, against what is on the wire: a message that the described file makes is one that the endpoint understands.
import { deepEqual, equal, ok } from "node:assert/strict";
import { describe, it } from "node:test";
import {
  type DescMessage,
  type DescService,
  fromBinary,
  fromJson,
  type JsonValue,
  toBinary,
  toJson,
} from "@bufbuild/protobuf";
import fc from "fast-check";
import { z } from "zod";
import { describeService } from "./descriptor.ts";
import { decodeShape, encodeShape } from "./protobuf.ts";
import { shapeOfSchema } from "./schema.ts";
import type { MessageShape } from "./shape.ts";

const nothing: MessageShape = { name: "CallResponse", fields: [] };

function shape(schema: z.ZodType, name = "CallRequest"): MessageShape {
  const found = shapeOfSchema(name, schema, "input");
  ok(found);
  return found;
}

/** The request of `Kit.Call` as reflection shows it. */
function described(request: MessageShape, service = "kit"): DescMessage {
  const [kit] = describeService(service, [{ name: "Kit.Call", kind: "unary", request, response: nothing }]);
  ok(kit?.methods[0]);
  return kit.methods[0].input;
}

/** Through protobuf-es with the described file one way, and through the endpoint's own codec the other. */
function roundTrip(request: MessageShape, value: JsonValue): void {
  const message = described(request);
  deepEqual(plain(decodeShape(request, toBinary(message, fromJson(message, value)), "kit")), plain(value));
  deepEqual(toJson(message, fromBinary(message, encodeShape(request, value))), value);
}

/** What JSON shows of a value: maps of ours have no prototype. */
function plain(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value));
}

const everything = z.object({
  text: z.string(),
  yes: z.boolean(),
  small: z.int32(),
  natural: z.uint32(),
  ratio: z.number(),
  raw: z.base64(),
  maybe: z.string().optional(),
  any: z.unknown(),
  tags: z.array(z.string()),
  sizes: z.array(z.int32()),
  labels: z.record(z.string(), z.string()),
  owner: z.object({ name: z.string(), age: z.int32().optional() }),
  friends: z.array(z.object({ name: z.string() })),
  byName: z.record(z.string(), z.object({ n: z.int32() })),
});

describe("describeService", () => {
  it("describes every kind of field as it is on the wire", () => {
    roundTrip(shape(everything), {
      text: "é",
      yes: true,
      small: -1,
      natural: 7,
      ratio: 0.5,
      raw: "AP8=",
      maybe: "",
      any: { deep: [1, null, "x"] },
      tags: ["a", "b"],
      sizes: [1, 2],
      labels: { colour: "red" },
      owner: { name: "jo", age: 3 },
      friends: [{ name: "al" }],
      byName: { one: { n: 1 } },
    });
  });

  it("tells an optional field that is absent from one that is empty", () => {
    const message = described(shape(z.object({ maybe: z.string().optional(), always: z.string() })));
    deepEqual(
      message.fields.map(({ presence }) => presence),
      [1, 2],
    );
    // Without the mark it would be the only choice of a oneof, which tools show.
    equal(message.oneofs.length, 0);
  });

  it("names things that protobuf can't name, and keeps their names in JSON", () => {
    const odd = z.object({ "user-email": z.string(), "2nd": z.string(), ä: z.string(), user_email: z.string() });
    const message = described(shape(odd));
    deepEqual(
      message.fields.map(({ name }) => name),
      ["user_email", "_2nd", "_", "user_email2"],
    );
    roundTrip(shape(odd), { "user-email": "a", "2nd": "b", ä: "c", user_email: "d" });
  });

  it("keeps apart what protobuf would take for the same", () => {
    const name = z.object({ x: z.string() });
    const twins = z.object({
      userId: z.string(),
      user_id: z.string(),
      Owner: name,
      owner: name,
      tags: z.record(z.string(), z.string()),
      TagsEntry: name,
    });
    roundTrip(shape(twins), {
      userId: "a",
      user_id: "b",
      Owner: { x: "1" },
      owner: { x: "2" },
      tags: { k: "v" },
      TagsEntry: { x: "3" },
    });
  });

  it("carries any property name there and back (property)", () => {
    const names = fc.uniqueArray(fc.string({ minLength: 1, maxLength: 8 }), { minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(names, (keys) => {
        const wanted = keys.filter((key) => key !== "__proto__");
        const fields = wanted.map((name, index) => ({
          name,
          number: index + 1,
          type: "string" as const,
          label: "single" as const,
          required: index % 2 === 0,
        }));
        roundTrip({ name: "CallRequest", fields }, Object.fromEntries(wanted.map((key) => [key, `value of ${key}`])));
      }),
      { numRuns: 200 },
    );
  });

  it("has a service for each handler, with the kinds of its methods", () => {
    const request = shape(z.object({ a: z.string() }));
    const endpoint = (name: string, kind: "unary" | "server" | "client" | "bidi") => ({
      name,
      kind,
      request,
      response: nothing,
    });
    const services = describeService("shop", [
      endpoint("Shop.Buy", "unary"),
      endpoint("Shop.Watch", "server"),
      endpoint("Admin.Load", "client"),
      endpoint("Admin.Talk", "bidi"),
    ]);
    const table = services.map(({ typeName, methods }: DescService) => [
      typeName,
      ...methods.map(({ name, methodKind }) => `${name} ${methodKind}`),
    ]);
    deepEqual(table, [
      ["shop.Shop", "Buy unary", "Watch server_streaming"],
      ["shop.Admin", "Load client_streaming", "Talk bidi_streaming"],
    ]);
  });

  it("makes a package of any service name", () => {
    for (const [service, name] of [
      ["my-service", "my_service.CallRequest"],
      ["acme.v1", "acme.v1.CallRequest"],
      ["3d", "_3d.CallRequest"],
      ["a..b.", "a.b.CallRequest"],
    ] as const)
      equal(described(shape(z.object({ a: z.string() })), service).typeName, name);
  });

  it("leaves out an endpoint whose name no protobuf method can have", () => {
    const endpoint = { kind: "unary", request: nothing, response: nothing } as const;
    const [kit] = describeService("kit", [
      { ...endpoint, name: "Kit.Ok" },
      { ...endpoint, name: "Kit.Not Ok" },
    ]);
    deepEqual(
      kit?.methods.map(({ name }) => name),
      ["Ok"],
    );
  });
});
