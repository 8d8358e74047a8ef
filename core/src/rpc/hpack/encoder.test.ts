import { deepEqual, equal, ok } from "node:assert/strict";
import { describe, it } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import fc from "fast-check";
import { fieldBound, HpackDecoder, HpackEncoder } from "./index.ts";

setFlagsFromString("--expose-gc");
const gc: () => void = runInNewContext("gc");

const target = Buffer.alloc(1 << 20);

function encode(encoder: HpackEncoder, ...fields: readonly (readonly [string, string])[]): Buffer {
  let at = encoder.begin(target, 5);
  for (const [name, value] of fields) at = encoder.write(target, at, name, value);
  return Buffer.from(target.subarray(5, at));
}

const hex = (bytes: Buffer) => bytes.toString("hex");

/** How the one field in a block is written (RFC 7541 §6). */
function written(block: Buffer): "indexed" | "entered" | "literal" | "never" {
  const first = block[0] ?? 0;
  if (first >= 0x80) return "indexed";
  if (first >= 0x40) return "entered";
  return first >= 0x10 ? "never" : "literal";
}

describe("HpackEncoder", () => {
  it("writes what the static table has as one octet", () => {
    const encoder = new HpackEncoder();
    equal(
      hex(encode(encoder, [":method", "POST"], [":status", "404"], [":authority", ""], ["www-authenticate", ""])),
      "838d81bd",
    );
  });

  it("enters a field, with Huffman coding, and writes it as one octet from then on", () => {
    const encoder = new HpackEncoder();
    const host = [":authority", "www.example.com"] as const;
    equal(hex(encode(encoder, host)), "418cf1e3c2e5f23a6ba0ab90f4ff");
    equal(hex(encode(encoder, host, ["cache-control", "no-cache"])), "be5886a8eb10649cbf");
    equal(hex(encode(encoder, host)), "bf");
  });

  it("enters a token without Huffman coding", () => {
    const encoder = new HpackEncoder();
    const field = ["authorization", `Bearer ${"a".repeat(300)}`] as const;
    const block = encode(encoder, field);
    equal(block.toString("latin1").slice(-field[1].length), field[1]);
    equal(hex(encode(encoder, field)), "be");
  });

  it("enters a name that is not in the static table from its second time on", () => {
    const encoder = new HpackEncoder();
    const ways = [1, 2, 3].map(() => written(encode(encoder, ["micro-namespace", "micro"])));
    deepEqual(ways, ["literal", "entered", "indexed"]);
  });

  const changing = "grpc-timeout timeout micro-trace-id micro-span-id micro-id traceparent tracestate content-length";
  const rare = "grpc-message grpc-status-details-bin date age etag";
  for (const name of `${changing} ${rare}`.split(" ")) {
    it(`never enters ${name}`, () => {
      const encoder = new HpackEncoder();
      for (let call = 0; call < 3; call++) equal(written(encode(encoder, [name, "same"])), "literal");
    });
  }

  it("forbids everyone to enter a short cookie and proxy-authorization (RFC 7541 §7.1.3)", () => {
    const encoder = new HpackEncoder();
    for (let call = 0; call < 3; call++) {
      equal(written(encode(encoder, ["cookie", "x".repeat(19)])), "never");
      equal(written(encode(encoder, ["proxy-authorization", "Basic eDp5".repeat(10)])), "never");
    }
    equal(written(encode(encoder, ["cookie", "x".repeat(20)])), "entered");
    equal(written(encode(encoder, ["authorization", "Bearer x"])), "entered");
  });

  it("does not enter what takes over a quarter of the table", () => {
    const encoder = new HpackEncoder();
    const room = 1024 - 32 - "user-agent".length;
    equal(written(encode(encoder, ["user-agent", "x".repeat(room + 1)])), "literal");
    equal(written(encode(encoder, ["user-agent", "x".repeat(room)])), "entered");
    equal(written(encode(encoder, ["user-agent", "x".repeat(room)])), "indexed");
  });

  it("writes names that never come again without pushing out what does", () => {
    const encoder = new HpackEncoder();
    encode(encoder, [":path", "/service.Handler/Method"]);
    for (let call = 0; call < 1000; call++) encode(encoder, [`unique-${call}`, `${call}`]);
    equal(hex(encode(encoder, [":path", "/service.Handler/Method"])), "be");
  });
});

describe("the learning of which values come again", () => {
  it("stops entering the values of a name when each is another one", () => {
    const encoder = new HpackEncoder();
    const ways = Array.from({ length: 1000 }, (_, call) => written(encode(encoder, ["x-call", `value-${call}`])));
    const entered = ways.filter((way) => way === "entered").length;
    ok(entered > 0 && entered < 60, `${entered} of 1000 were entered`);
  });

  it("keeps entering new values of a name whose values come again", () => {
    const encoder = new HpackEncoder();
    const path = (number: number) => [":path", `/service.Handler/Method${number}`] as const;
    for (let call = 0; call < 2000; call++) {
      equal(written(encode(encoder, path(call >> 1))), call % 2 === 0 ? "entered" : "indexed");
    }
  });

  it("finds out that values have begun to come again", () => {
    const encoder = new HpackEncoder();
    for (let call = 0; call < 100; call++) encode(encoder, ["x-call", `value-${call}`]);
    for (let call = 0; call < 32; call++) encode(encoder, ["x-call", "the same"]);
    equal(written(encode(encoder, ["x-call", "the same"])), "indexed");
  });

  it("takes no memory for names that never come again", () => {
    const encoder = new HpackEncoder();
    const fill = (from: number) => {
      for (let call = from; call < from + 100_000; call++) encode(encoder, [`unique-${call}-${"n".repeat(80)}`, "v"]);
      gc();
      return process.memoryUsage().heapUsed;
    };
    const before = fill(0);
    const growth = fill(100_000) - before;
    ok(growth < 2_000_000, `${growth} bytes more after 100,000 names`);
  });
});

describe("the table's size", () => {
  const entered = () => {
    const encoder = new HpackEncoder();
    encode(encoder, ["user-agent", "a"]);
    return encoder;
  };

  it("is not spoken of while the peer's setting is the initial one", () => {
    const encoder = new HpackEncoder();
    encoder.setPeerTableBytes(4096);
    equal(hex(encode(encoder, [":method", "GET"])), "82");
  });

  it("stays what this side wants when the peer allows more", () => {
    const encoder = entered();
    encoder.setPeerTableBytes(2 ** 32 - 1);
    equal(hex(encode(encoder, ["user-agent", "a"])), "be");
  });

  it("is lowered at once, announced once, and evicts", () => {
    const encoder = entered();
    encoder.setPeerTableBytes(0);
    equal(hex(encode(encoder, ["user-agent", "a"])), "200f2b0161");
    equal(hex(encode(encoder, ["user-agent", "a"])), "0f2b0161");
  });

  it("is announced with the lowest and the final one when it went down and up between two blocks (RFC 7541 §4.2)", () => {
    const encoder = entered();
    for (const bytes of [1000, 64, 200, 4096]) encoder.setPeerTableBytes(bytes);
    equal(hex(encode(encoder)), "3f213fe11f");
    equal(hex(encode(encoder)), "");
  });

  it("is announced once when the lowest is the final one", () => {
    const encoder = entered();
    for (const bytes of [1000, 64]) encoder.setPeerTableBytes(bytes);
    equal(hex(encode(encoder)), "3f21");
  });

  it("grows up to what this side is ready to use", () => {
    const encoder = new HpackEncoder(8192);
    equal(hex(encode(encoder)), "");
    encoder.setPeerTableBytes(65_536);
    equal(hex(encode(encoder)), "3fe13f");
  });

  it("is announced in the first block when this side wants less than the initial one", () => {
    equal(hex(encode(new HpackEncoder(0))), "20");
    const encoder = new HpackEncoder(64);
    encoder.setPeerTableBytes(65_536);
    equal(hex(encode(encoder)), "3f21");
  });

  it("takes at most 12 bytes to announce", () => {
    const encoder = new HpackEncoder(2 ** 31);
    encoder.setPeerTableBytes(2 ** 30);
    encoder.begin(target, 0);
    encoder.setPeerTableBytes(2 ** 29);
    encoder.setPeerTableBytes(2 ** 31);
    ok(encoder.begin(target, 0) <= 12);
  });
});

const octets = (maxLength: number) =>
  fc.uint8Array({ maxLength, size: "max" }).map((bytes) => Buffer.from(bytes).toString("latin1"));
const name = fc.oneof(
  fc.constantFrom(":method", ":path", ":authority", ":status", "cookie", "accept", "user-agent", "grpc-timeout", "via"),
  fc.constantFrom("x-a", "x-b", "x-c", "micro-namespace", "proxy-authorization"),
  octets(200),
);
const value = fc.oneof(fc.constantFrom("", "GET", "/", "200", "one", "two", "three"), octets(60), octets(3000));
const list = fc.array(fc.tuple(name, value), { maxLength: 12 });
const bytes = fc.oneof(fc.constantFrom(0, 32, 64, 256, 4096, 8192), fc.nat(8192), fc.constant(2 ** 32 - 1));
const block = fc.record({ settings: fc.array(bytes, { maxLength: 3 }), list, times: fc.integer({ min: 1, max: 3 }) });

describe("encoder and decoder", () => {
  it("agree on any lists while the size of the table changes", () => {
    fc.assert(
      fc.property(fc.array(block, { maxLength: 20 }), fc.nat(65_536), (blocks, maxTableBytes) => {
        const encoder = new HpackEncoder(maxTableBytes);
        const decoder = new HpackDecoder(2 ** 31);
        for (const { settings, list, times } of blocks) {
          for (const bytes of settings) encoder.setPeerTableBytes(bytes);
          for (let time = 0; time < times; time++) {
            const sent = encode(encoder, ...list);
            deepEqual(decoder.decode(sent, 0, sent.length, 1e9, 1e9), list.flat());
            equal(
              decoder.listBytes,
              list.reduce((sum, [name, value]) => sum + name.length + value.length + 32, 0),
            );
          }
        }
      }),
    );
  });

  it("need no more than fieldBound for a field", () => {
    const encoder = new HpackEncoder();
    fc.assert(
      fc.property(octets(70_000), octets(70_000), (name, value) => {
        for (let time = 0; time < 3; time++) ok(encoder.write(target, 0, name, value) <= fieldBound(name, value));
      }),
      { numRuns: 50 },
    );
  });
});
