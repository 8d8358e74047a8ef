// Random and mutated blocks: 50,000, or a million with MICRO_NIGHTLY. HPACK_FUZZ_SEED=<number> runs the inputs of a failure again.
import { equal, fail, ok } from "node:assert/strict";
import { describe, it } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { type Random, randomOf } from "../../../../testing/src/random.ts";
import { HpackDecoder, HpackEncoder, HpackError } from "./index.ts";

setFlagsFromString("--expose-gc");
const gc: () => void = runInNewContext("gc");

const inputs = process.env.MICRO_NIGHTLY === undefined ? 50_000 : 1_000_000;
const seed = Number(process.env.HPACK_FUZZ_SEED ?? Math.floor(Math.random() * 2 ** 32));

const maxListBytes = 8192;
const maxFields = 64;

const names = [":method", ":path", "user-agent", "grpc-timeout", "cookie", "x-one", "x-two", "Upper", "", "bad name"];

/** What begins a field or an integer, and what is at the edge of a range. */
const telling = [0x00, 0x0f, 0x10, 0x1f, 0x20, 0x3f, 0x40, 0x7f, 0x80, 0xbd, 0xbe, 0xbf, 0xff];

function text(random: Random, maxLength: number): string {
  const octets = random(4) === 0 ? 256 : 26;
  const first = octets === 256 ? 0 : 97;
  return String.fromCharCode(...Array.from({ length: random(maxLength) }, () => first + random(octets)));
}

function validBlock(random: Random, encoder: HpackEncoder): Buffer {
  const target = Buffer.alloc(8192);
  if (random(20) === 0) encoder.setPeerTableBytes(random(8192));
  let at = encoder.begin(target, 0);
  for (let left = random(10); left > 0; left--) {
    const name = names[random(names.length)] ?? "";
    at = encoder.write(
      target,
      at,
      random(4) === 0 ? text(random, 20) : name,
      text(random, random(20) === 0 ? 500 : 20),
    );
  }
  return target.subarray(0, at);
}

function randomBlock(random: Random): Buffer {
  const one = () => (random(3) === 0 ? (telling[random(telling.length)] ?? 0) : random(256));
  return Buffer.from(Array.from({ length: random(60) }, one));
}

function mutated(random: Random, block: Buffer): Buffer {
  const bytes = [...block];
  for (let left = 1 + random(4); left > 0; left--) {
    const at = random(bytes.length + 1);
    const octet = random(2) === 0 ? random(256) : (telling[random(telling.length)] ?? 0);
    const change = random(5);
    if (change === 0) bytes[at] = octet;
    else if (change === 1) bytes.splice(at, 0, octet);
    else if (change === 2) bytes.splice(at, 1 + random(4));
    else if (change === 3) bytes[at] = (bytes[at] ?? 0) ^ (1 << random(8));
    else bytes.splice(at, 0, ...bytes.slice(random(bytes.length + 1)).slice(0, 40));
  }
  return Buffer.from(bytes);
}

/** Decodes one block that may be anything. Whether the decoder can go on. */
function survives(decoder: HpackDecoder, block: Buffer): boolean {
  try {
    const list = decoder.decode(block, 0, block.length, maxListBytes, maxFields);
    if (list === undefined) return true;
    ok(list.length % 2 === 0 && list.length <= 2 * maxFields);
    const bytes = list.reduce((sum, text) => sum + text.length, 16 * list.length);
    equal(bytes, decoder.listBytes);
    ok(bytes <= maxListBytes);
    return true;
  } catch (error) {
    if (error instanceof HpackError) return false;
    throw error;
  }
}

/** Runs the inputs `from` to `to`; each has its own random numbers, drawn from the seed. */
function run(from: number, to: number): { decoded: number; refused: number } {
  let [decoder, encoder] = [new HpackDecoder(), new HpackEncoder()];
  const counts = { decoded: 0, refused: 0 };
  for (let input = from; input < to; input++) {
    const random = randomOf(seed, input);
    const kind = random(4);
    const valid = validBlock(random, encoder);
    const block = kind === 0 ? randomBlock(random) : kind === 1 ? valid : mutated(random, valid);
    try {
      if (survives(decoder, block)) {
        counts.decoded++;
        continue;
      }
    } catch (error) {
      fail(`input ${input} of HPACK_FUZZ_SEED=${seed}, ${block.toString("hex")}: ${error}`);
    }
    counts.refused++;
    [decoder, encoder] = [new HpackDecoder(), new HpackEncoder()];
  }
  return counts;
}

describe("HpackDecoder, fed anything", () => {
  it(`refuses with HpackError or decodes within the limits, ${inputs} blocks of seed ${seed}, without growing`, () => {
    const warm = inputs / 5;
    run(0, warm);
    gc();
    const before = process.memoryUsage().heapUsed;
    const { decoded, refused } = run(warm, inputs);
    gc();
    const growth = process.memoryUsage().heapUsed - before;
    ok(growth < 2_000_000, `HPACK_FUZZ_SEED=${seed}: ${growth} bytes more on the heap`);
    ok(decoded > inputs / 10 && refused > inputs / 10, `too one-sided: ${decoded} decoded, ${refused} refused`);
  });
});
