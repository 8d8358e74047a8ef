// The examples of RFC 7541 Appendix C.
import { deepEqual, equal, throws } from "node:assert/strict";
import { describe, it } from "node:test";
import { HpackDecoder, HpackEncoder, HpackError } from "./index.ts";

interface Step {
  readonly block: string;
  readonly list: readonly string[];
  /** The dynamic table behind the block, the newest entry first. */
  readonly table: readonly string[];
}

const host = ":authority: www.example.com";
const noCache = "cache-control: no-cache";
const custom = "custom-key: custom-value";
const date = "date: Mon, 21 Oct 2013 20:13:21 GMT";
const later = "date: Mon, 21 Oct 2013 20:13:22 GMT";
const location = "location: https://www.example.com";
const hidden = "cache-control: private";
const cookie = "set-cookie: foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1";
const gzip = "content-encoding: gzip";

const requests = [
  { list: [":method: GET", ":scheme: http", ":path: /", host], table: [host] },
  { list: [":method: GET", ":scheme: http", ":path: /", host, noCache], table: [noCache, host] },
  { list: [":method: GET", ":scheme: https", ":path: /index.html", host, custom], table: [custom, noCache, host] },
];
const responses = [
  { list: [":status: 302", hidden, date, location], table: [location, date, hidden, ":status: 302"] },
  { list: [":status: 307", hidden, date, location], table: [":status: 307", location, date, hidden] },
  { list: [":status: 200", hidden, later, location, gzip, cookie], table: [cookie, gzip, later] },
];

/** SETTINGS_HEADER_TABLE_SIZE 256 is given as the update that says so. */
const use256 = "3fe101";

const examples: Readonly<Record<string, readonly Step[]>> = {
  "C.2.1, a literal that is entered": [
    {
      block: "400a637573746f6d2d6b65790d637573746f6d2d686561646572",
      list: ["custom-key: custom-header"],
      table: ["custom-key: custom-header"],
    },
  ],
  "C.2.2, a literal without indexing": [
    { block: "040c2f73616d706c652f70617468", list: [":path: /sample/path"], table: [] },
  ],
  "C.2.3, a literal never indexed": [
    { block: "100870617373776f726406736563726574", list: ["password: secret"], table: [] },
  ],
  "C.2.4, an indexed field": [{ block: "82", list: [":method: GET"], table: [] }],
  "C.3, requests without Huffman coding": steps(requests, [
    "828684410f7777772e6578616d706c652e636f6d",
    "828684be58086e6f2d6361636865",
    "828785bf400a637573746f6d2d6b65790c637573746f6d2d76616c7565",
  ]),
  "C.4, requests with Huffman coding": steps(requests, [
    "828684418cf1e3c2e5f23a6ba0ab90f4ff",
    "828684be5886a8eb10649cbf",
    "828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf",
  ]),
  "C.5, responses without Huffman coding": steps(responses, [
    `${use256}4803333032580770726976617465611d4d6f6e2c203231204f637420323031332032303a31333a323120474d546e1768747470733a2f2f7777772e6578616d706c652e636f6d`,
    "4803333037c1c0bf",
    "88c1611d4d6f6e2c203231204f637420323031332032303a31333a323220474d54c05a04677a69707738666f6f3d4153444a4b48514b425a584f5157454f50495541585157454f49553b206d61782d6167653d333630303b2076657273696f6e3d31",
  ]),
  "C.6, responses with Huffman coding": steps(responses, [
    `${use256}488264025885aec3771a4b6196d07abe941054d444a8200595040b8166e082a62d1bff6e919d29ad171863c78f0b97c8e9ae82ae43d3`,
    "4883640effc1c0bf",
    "88c16196d07abe941054d444a8200595040b8166e084a62d1bffc05a839bd9ab77ad94e7821dd7f2e6c7b335dfdfcd5b3960d5af27087f3672c1ab270fb5291f9587316065c003ed4ee5b1063d5007",
  ]),
};

function steps(expected: readonly Omit<Step, "block">[], blocks: readonly string[]): Step[] {
  return expected.map((step, index) => ({ ...step, block: blocks[index] ?? "" }));
}

function decode(decoder: HpackDecoder, block: Buffer): string[] {
  const list = decoder.decode(block, 0, block.length, 10_000, 100) ?? [];
  const lines: string[] = [];
  for (let i = 0; i < list.length; i += 2) lines.push(`${list[i]}: ${list[i + 1]}`);
  return lines;
}

describe("RFC 7541 Appendix C", () => {
  for (const [name, blocks] of Object.entries(examples)) {
    it(`decodes ${name}, into the same list and the same table`, () => {
      const decoder = new HpackDecoder();
      for (const { block, list, table } of blocks) {
        deepEqual(decode(decoder, Buffer.from(block, "hex")), list);
        equal(decoder.malformed, undefined);
        deepEqual(decode(decoder, Buffer.from(table.map((_, age) => 0xbe + age))), table);
        throws(() => decode(decoderAfter(blocks, block), Buffer.from([0xbe + table.length])), HpackError);
      }
    });

    it(`encodes the lists of ${name} so that they are read back`, () => {
      const encoder = new HpackEncoder();
      const decoder = new HpackDecoder();
      for (const { list } of [...blocks, ...blocks]) {
        const target = Buffer.alloc(1000);
        let at = encoder.begin(target, 0);
        for (const line of list) {
          const [field = "", value = ""] = line.split(/(?<=.): (.*)/);
          at = encoder.write(target, at, field, value);
        }
        deepEqual(decode(decoder, target.subarray(0, at)), list);
      }
    });
  }
});

/** A decoder that has read the blocks up to `last`: an error would break the one under test. */
function decoderAfter(blocks: readonly Step[], last: string): HpackDecoder {
  const decoder = new HpackDecoder();
  for (const { block } of blocks.slice(0, blocks.findIndex(({ block }) => block === last) + 1)) {
    decode(decoder, Buffer.from(block, "hex"));
  }
  return decoder;
}
