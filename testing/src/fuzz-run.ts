import { equal, fail, ok } from "node:assert/strict";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { FrameFuzz } from "./frame-fuzz.ts";
import type { MemorySocket } from "./memory-socket.ts";
import { randomOf } from "./random.ts";
import { RawType, rawPreface, readFrames } from "./raw-http2-frames.ts";

setFlagsFromString("--expose-gc");
const gc: () => void = runInNewContext("gc");

const { MICRO_NIGHTLY, HTTP2_FUZZ_SEED, HTTP2_FUZZ_INPUT } = process.env;

/** Conversations for each side: 25,000, or half a million at night. `HTTP2_FUZZ_SEED=<number>` runs those of a failure again. */
export const fuzzInputs = MICRO_NIGHTLY === undefined ? 25_000 : 500_000;
export const fuzzSeed = Number(HTTP2_FUZZ_SEED ?? Math.floor(Math.random() * 2 ** 32));
/** `HTTP2_FUZZ_INPUT=<number>` runs one of them alone. */
const only = HTTP2_FUZZ_INPUT === undefined ? undefined : Number(HTTP2_FUZZ_INPUT);

const atOnce = 100;
const slowMs = 10_000;
const internalError = 2;

/** A connection to feed, and what has to hold when it is gone; `label` leads back to the input. */
export interface Fed {
  readonly socket: MemorySocket;
  over?(label: string): void;
}

interface Running extends Fed {
  readonly label: string;
  readonly chunks: Buffer[];
  /** Whether each chunk comes in a turn of the event loop of its own. */
  readonly hasTurns: boolean;
}

/**
 * Feeds every conversation to a connection that `begin` makes: a client's, or with `openIds` a server's, whose client has opened these streams.
 * Fails when a connection reports an error of its own, sends what aren't frames, takes too long, or leaves something on the heap.
 */
export async function runFuzz(begin: () => Fed, openIds?: readonly number[]): Promise<void> {
  const prepare = (input: number): Running => {
    const random = randomOf(fuzzSeed, input);
    const hasTurns = random(10) === 0;
    const chunks = new FrameFuzz(random, openIds).chunks();
    return { label: `HTTP2_FUZZ_SEED=${fuzzSeed} HTTP2_FUZZ_INPUT=${input}`, hasTurns, chunks, ...begin() };
  };
  if (only !== undefined) return await runSome([prepare(only)]);
  const warm = fuzzInputs / 5;
  let before = 0;
  for (let input = 0; input < fuzzInputs; input += atOnce) {
    if (input === warm) before = await settledHeap();
    const startedMs = performance.now();
    await runSome(Array.from({ length: atOnce }, (_, n) => prepare(input + n)));
    const ms = performance.now() - startedMs;
    ok(ms < slowMs, `${atOnce} inputs from ${input} of HTTP2_FUZZ_SEED=${fuzzSeed} took ${ms} ms`);
  }
  const growth = (await settledHeap()) - before;
  ok(growth < 3_000_000, `HTTP2_FUZZ_SEED=${fuzzSeed}: ${growth} bytes more on the heap`);
}

async function runSome(all: readonly Running[]): Promise<void> {
  for (let isLeft = true; isLeft; await turn()) {
    isLeft = false;
    for (const { socket, chunks, hasTurns } of all) {
      for (const chunk of chunks.splice(0, hasTurns ? 1 : chunks.length)) socket.receive(chunk);
      if (chunks.length > 0) isLeft = true;
    }
  }
  for (const { socket } of all) socket.destroy();
  await turn();
  for (const { socket, label, over } of all) {
    checkOutput(socket.written, label);
    over?.(label);
  }
}

/** What a side has written is whole frames, and none says that it has failed by itself. */
function checkOutput(written: Buffer, label: string): void {
  const isClient = written.subarray(0, rawPreface.length).equals(rawPreface);
  const { frames, rest } = readFrames(isClient ? written.subarray(rawPreface.length) : written);
  equal(rest.length, 0, `${label}: it ends inside a frame`);
  for (const { type, payload } of frames) {
    ok(payload.length <= 16_384, `${label}: it sent a frame of ${payload.length} bytes`);
    if (type === RawType.goaway && payload.readUInt32BE(4) === internalError)
      fail(`${label}: it failed by itself: ${payload.toString("utf8", 8)}`);
  }
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** The heap once connections that failed have had their time to be read. */
async function settledHeap(): Promise<number> {
  await new Promise((resolve) => setTimeout(resolve, 700));
  gc();
  return process.memoryUsage().heapUsed;
}
