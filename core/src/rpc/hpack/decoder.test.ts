import { deepEqual, equal, ok, throws } from "node:assert/strict";
import { describe, it } from "node:test";
import { HpackDecoder, HpackError } from "./index.ts";

const latin1 = (text: string) => Buffer.from(text, "latin1");

/** A string without Huffman coding, of at most 126 octets. */
const plain = (text: string) => Buffer.concat([Buffer.from([text.length]), latin1(text)]);
const literal = (pattern: number) => (name: string, value: string) =>
  Buffer.concat([Buffer.from([pattern]), plain(name), plain(value)]);
const entered = literal(0x40);
const passed = literal(0x00);
const hex = (text: string) => Buffer.from(text.replaceAll(" ", ""), "hex");

function decode(
  decoder: HpackDecoder,
  block: Buffer | string,
  maxListBytes = 100_000,
  maxFields = 1000,
): string[] | undefined {
  const bytes = typeof block === "string" ? hex(block) : block;
  // What stands around the block is as good as a field: reading beyond its ends would show.
  const around = Buffer.concat([hex("8282"), bytes, hex("8282")]);
  return decoder.decode(around, 2, 2 + bytes.length, maxListBytes, maxFields);
}

describe("HpackDecoder", () => {
  it("decodes an empty block into an empty list", () => {
    const decoder = new HpackDecoder();
    deepEqual(decode(decoder, ""), []);
    equal(decoder.listBytes, 0);
  });

  it("has the three static fields that nghttp2.test.ts leaves out", () => {
    deepEqual(decode(new HpackDecoder(), "9c a6 b9"), ["content-length", "", "host", "", "transfer-encoding", ""]);
  });

  it("tells names apart that begin alike", () => {
    const decoder = new HpackDecoder();
    for (let number = 0; number < 5000; number++) {
      const longer = `x${number}`;
      deepEqual(decode(decoder, Buffer.concat([passed("x", "1"), passed(longer, "2")])), ["x", "1", longer, "2"]);
    }
  });

  it("keeps octets over 127 as latin1", () => {
    deepEqual(decode(new HpackDecoder(), passed("x", "\u00e9\u00ff\u0080")), ["x", "\u00e9\u00ff\u0080"]);
  });

  it("reads strings of any length, plain and across blocks larger than what values share", () => {
    for (const length of [0, 1, 4, 5, 126]) {
      const value = "v".repeat(length);
      deepEqual(decode(new HpackDecoder(), passed("x", value)), ["x", value]);
      deepEqual(decode(new HpackDecoder(), entered("x", value)), ["x", value]);
    }
    const many = Array.from({ length: 40 }, (_, index) => [`name-${index}`, `${index}`.repeat(40)] as const);
    const block = Buffer.concat(many.map(([name, value]) => passed(name, value)));
    deepEqual(decode(new HpackDecoder(), block), many.flat());
  });

  it("reads an integer of five continuation octets up to 2^31", () => {
    // The name's length is 127 + 0, written with needless zeros.
    const padded = Buffer.concat([hex("00 7f 80808000"), latin1("n".repeat(127)), plain("v")]);
    deepEqual(decode(new HpackDecoder(), padded), ["n".repeat(127), "v"]);
    equal(new HpackDecoder(2 ** 31).decode(hex("3fe1ffffff07"), 0, 6, 0, 0)?.length, 0);
  });

  const broken: Readonly<Record<string, Readonly<Record<string, string>>>> = {
    "there is no field with the index": {
      "the index 0": "80",
      "an index behind the static table while the dynamic one is empty": "be",
      "an index behind the dynamic table": "40 01 61 01 62 bf",
      "a name's index behind the tables": "7f 00 01 61",
      "a name's index behind the tables, without indexing": "0f 2f 01 61",
      "an index of 2^31": "ff 81 ff ff ff 07",
    },
    "an integer is too large": {
      "an index over 2^31": "ff 82 ff ff ff 07",
      "an index of 2^32": "ff 81 ff ff ff 0f",
      "an index of six continuation octets": "ff 80 80 80 80 80 00",
      "an index that never ends": "ff ff ff ff ff ff ff ff ff ff ff ff",
      "a length of six continuation octets": "40 7f 80 80 80 80 80 00 61",
      "a size update of 2^31 + 1": "3f e2 ff ff ff 07",
    },
    "the header block ends inside a field": {
      "an index cut off": "ff",
      "an index cut off behind a continuation": "ff 80",
      "a literal without its name": "40",
      "a literal with half its name": "40 03 61 61",
      "a literal without its value": "40 01 61",
      "a literal with a name's index and no value": "41",
      "a literal with half its value": "40 01 61 02 62",
      "a length cut off": "40 7f",
      "a length of 2^31": "40 7f 81 ff ff ff 07 61",
      "a Huffman coded string cut off": "40 82 1f",
      "a size update cut off": "3f",
    },
    "a string is not well Huffman coded": {
      "EOS in a name": "40 84 ff ff ff ff 01 61",
      "EOS in a value": "00 01 61 84 ff ff ff ff",
      "a padding over seven bits": "00 01 61 82 1f ff",
      "a padding of zeros": "00 01 61 81 18",
    },
    "is more than was allowed": {
      "a size update over what was announced": "3f e2 1f",
    },
    "a table size update stands behind a field": {
      "a size update behind a field": "82 20",
      "a size update behind a literal": "00 01 61 01 62 20",
    },
  };
  for (const [message, blocks] of Object.entries(broken)) {
    for (const [name, block] of Object.entries(blocks)) {
      it(`refuses ${name}`, () => {
        throws(
          () => decode(new HpackDecoder(), block),
          (error) => error instanceof HpackError && error.message.includes(message),
        );
      });
    }
  }

  it("refuses what is cut off anywhere", () => {
    const block = Buffer.concat([hex("3fe11f"), entered("name", "value"), hex("0f0d 82 6402"), passed("a", "b")]);
    ok(decode(new HpackDecoder(), block));
    const fieldEnds = [0, 3, 15, 20, block.length];
    for (let length = 0; length <= block.length; length++) {
      if (fieldEnds.includes(length)) ok(decode(new HpackDecoder(), block.subarray(0, length)));
      else throws(() => decode(new HpackDecoder(), block.subarray(0, length)), HpackError);
    }
  });

  it("takes several size updates before the first field, and none more", () => {
    const decoder = new HpackDecoder();
    decode(decoder, entered("a", "b"));
    deepEqual(decode(decoder, "20 3f e1 1f 82"), [":method", "GET"]);
    throws(() => decode(decoder, "be"), HpackError, "the update to 0 has emptied the table");
  });

  it("lets the peer use the initial size until it has read what was announced, and no update over that", () => {
    const decoder = new HpackDecoder(0);
    decode(decoder, entered("a", "b"));
    deepEqual(decode(decoder, "be"), ["a", "b"]);
    throws(() => decode(decoder, "21"), HpackError);
    deepEqual(decode(new HpackDecoder(0), Buffer.concat([hex("20"), entered("a", "b")])), ["a", "b"]);
    throws(() => decode(new HpackDecoder(0), Buffer.concat([hex("20"), entered("a", "b"), hex("be")])), HpackError);
  });

  it("uses a larger table only when the peer says so", () => {
    const decoder = new HpackDecoder(8192);
    const fill = () =>
      decode(decoder, Buffer.concat(Array.from({ length: 100 }, () => entered("name", "v".repeat(28)))));
    fill();
    deepEqual(decode(decoder, "bd"), ["www-authenticate", ""]);
    ok(decode(decoder, "fd"), "the entry 64 is the last that 4096 bytes have room for");
    throws(() => decode(decoder, "fe"), HpackError);
    const larger = new HpackDecoder(8192);
    decode(larger, "3fe13f");
    decode(
      larger,
      Buffer.concat(Array.from({ length: 128 }, (_, index) => entered("name", `${index}`.padStart(28, "v")))),
    );
    deepEqual(decode(larger, "ff3e"), ["name", "0".padStart(28, "v")]);
    throws(() => decode(larger, "ff3f"), HpackError);
  });

  it("empties the table for an entry that is larger than it", () => {
    const decoder = new HpackDecoder();
    decode(decoder, Buffer.concat([hex("3f 21"), entered("a", "b")]));
    deepEqual(decode(decoder, "be"), ["a", "b"]);
    deepEqual(decode(decoder, entered("name", "v".repeat(29))), ["name", "v".repeat(29)]);
    throws(() => decode(decoder, "be"), HpackError);
  });

  it("takes the name of an entry that goes out when its own literal comes in", () => {
    const decoder = new HpackDecoder();
    decode(decoder, Buffer.concat([hex("3f 11"), entered("name", "1")]));
    deepEqual(decode(decoder, Buffer.concat([hex("7e"), plain("2")])), ["name", "2"]);
    deepEqual(decode(decoder, "be"), ["name", "2"]);
    throws(() => decode(decoder, "bf"), HpackError);
  });
});

describe("the limits of a list", () => {
  it("count name, value and 32 for each field", () => {
    const decoder = new HpackDecoder();
    decode(decoder, Buffer.concat([hex("82"), entered("name", "value"), hex("be")]));
    equal(decoder.listBytes, 7 + 3 + 32 + 2 * (4 + 5 + 32));
  });

  it("are reached exactly and passed by one", () => {
    const decoder = new HpackDecoder();
    equal(decode(decoder, "8282", 84)?.length, 4);
    equal(decode(decoder, "8282", 83), undefined);
    equal(decoder.listBytes, 84);
    equal(decode(decoder, "8282", 1000, 2)?.length, 4);
    equal(decode(decoder, "8282", 1000, 1), undefined);
    equal(decoder.listBytes, 84);
  });

  it("leave the table in step when they are passed", () => {
    const decoder = new HpackDecoder();
    equal(decode(decoder, Buffer.concat([hex("82"), entered("a", "b"), entered("c", "d")]), 0, 0), undefined);
    deepEqual(decode(decoder, "bebf"), ["c", "d", "a", "b"]);
  });

  it("hold against a block that repeats a large entry", () => {
    const decoder = new HpackDecoder();
    const large = Buffer.concat([hex("40 01 61 7f a1 1e"), Buffer.alloc(4000, "x"), Buffer.alloc(60_000, 0xbe)]);
    equal(decode(decoder, large, 16_384, 100), undefined);
    equal(decoder.listBytes, 60_001 * 4033);
  });
});

describe("a malformed field", () => {
  const faults: readonly { name: string; value: string; fault: RegExp | undefined }[] = [
    { name: "x", value: "", fault: undefined },
    { name: "x", value: "in the\tmiddle", fault: undefined },
    { name: "x", value: "\x01\x7f\x80\xff", fault: undefined },
    { name: ":anything", value: "x", fault: undefined },
    { name: "!#$%&'*+-.^_`|~09az", value: "x", fault: undefined },
    { name: "", value: "x", fault: /empty/ },
    { name: ":", value: "x", fault: /empty/ },
    { name: "Host", value: "x", fault: /lower case/ },
    { name: "hosT", value: "x", fault: /lower case/ },
    { name: ":Path", value: "x", fault: /lower case/ },
    { name: "a:b", value: "x", fault: /invalid/ },
    { name: "a:", value: "x", fault: /invalid/ },
    { name: "::a", value: "x", fault: /invalid/ },
    { name: "a b", value: "x", fault: /invalid/ },
    { name: "A b", value: "x", fault: /invalid/ },
    { name: "a\0", value: "x", fault: /invalid/ },
    { name: "a\n", value: "x", fault: /invalid/ },
    { name: "a\x7f", value: "x", fault: /invalid/ },
    { name: "\u00e9", value: "x", fault: /invalid/ },
    { name: "a(", value: "x", fault: /invalid/ },
    { name: "x", value: "a\0b", fault: /NUL/ },
    { name: "x", value: "a\r", fault: /NUL or a line break/ },
    { name: "x", value: "\na", fault: /line break/ },
    { name: "x", value: " a", fault: /white space/ },
    { name: "x", value: "a ", fault: /white space/ },
    { name: "x", value: "\ta", fault: /white space/ },
    { name: "x", value: "a\t", fault: /white space/ },
    { name: "x", value: " ", fault: /white space/ },
  ];
  for (const { name, value, fault } of faults) {
    const text = JSON.stringify(`${name}: ${value}`);
    it(`${fault === undefined ? "is not" : "is"} ${text}, entered, repeated or passed`, () => {
      const decoder = new HpackDecoder();
      const seen = (block: Buffer | string) => {
        deepEqual(decode(decoder, block)?.slice(-2), [name, value]);
        return decoder.malformed;
      };
      for (const block of [
        passed(name, value),
        entered(name, value),
        "be",
        Buffer.concat([hex("be"), passed("x", "y"), hex("be")]),
      ]) {
        const found = seen(block);
        if (fault === undefined) equal(found, undefined);
        else ok(found !== undefined && fault.test(found), `${found}`);
      }
    });
  }

  it("is found by the name of an entry too, but not by its value", () => {
    const decoder = new HpackDecoder();
    decode(decoder, Buffer.concat([entered("Upper", "x"), entered("lower", " x")]));
    decode(decoder, Buffer.concat([hex("0f 30"), plain("fine")]));
    ok(decoder.malformed?.includes("lower case"));
    decode(decoder, Buffer.concat([hex("0f 2f"), plain("fine")]));
    equal(decoder.malformed, undefined);
  });

  it("is forgotten with the block", () => {
    const decoder = new HpackDecoder();
    decode(decoder, passed("x", " y"));
    ok(decoder.malformed);
    decode(decoder, "82");
    equal(decoder.malformed, undefined);
  });
});
