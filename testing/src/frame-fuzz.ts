import { HpackEncoder } from "../../core/src/rpc/hpack/index.ts";
import { pick, type Random } from "./random.ts";
import { frame, grpcFields, RawFlag, RawType, rawPreface, uint32 } from "./raw-http2-frames.ts";

const { endHeaders, endStream, padded, priority } = RawFlag;

export const fuzzPaths = ["/f.F/Echo", "/f.F/Collect", "/f.F/Hang", "/f.F/Throw", "/f.F/Gzip", "/nowhere", "bad"];

const oddFields = [
  ["connection", "close"],
  ["te", "gzip"],
  ["content-length", "7"],
  ["grpc-timeout", "1m"],
  ["grpc-timeout", "99999999H"],
  ["grpc-encoding", "gzip"],
  ["grpc-encoding", "zip"],
  ["grpc-accept-encoding", "gzip"],
  ["content-type", "application/grpc-web-text"],
  ["content-type", "text/html"],
  ["Upper", "x"],
  [":path", "/twice"],
  ["x-bin", "AAE="],
  ["x", "\u0000"],
  ["x", ""],
] as const;

const oddStatuses = ["100", "103", "101", "204", "404", "503", "20", "abc"];
const oddNumbers = [0, 1, 2, 5, 16_383, 16_384, 65_535, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1];

/** One side's half of a conversation in frames: most of it such as a peer could send, the rest wrong in every way there is. */
export class FrameFuzz {
  readonly #random: Random;
  readonly #isClient: boolean;
  readonly #encoder = new HpackEncoder();
  readonly #open: number[] = [];
  #nextId = 1;

  /** A server's half is about the streams that the client has opened. */
  constructor(random: Random, openIds: readonly number[] | undefined) {
    this.#random = random;
    this.#isClient = openIds === undefined;
    this.#open.push(...(openIds ?? []));
  }

  /** The bytes of the whole, in the pieces in which they come. */
  chunks(): Buffer[] {
    const frames = [this.#settings(this.#one(20))];
    for (let left = 1 + this.#random(16); left > 0; left--) frames.push(this.#frame());
    if (this.#isClient && !this.#one(50)) frames.unshift(rawPreface);
    const whole = Buffer.concat(frames);
    return this.#cut(this.#one(3) ? this.#mutated(whole) : whole);
  }

  /** True once in `n` times. */
  #one(n: number): boolean {
    return this.#random(n) === 0;
  }

  #frame(): Buffer {
    const kind = this.#random(20);
    if (kind < 6) return this.#isClient ? this.#request() : this.#response();
    if (kind < 12) return this.#data();
    if (kind < 13) return this.#trailers();
    if (kind < 15) return frame(RawType.windowUpdate, 0, this.#streamId(), uint32(pick(this.#random, oddNumbers)));
    if (kind < 16) return frame(RawType.rstStream, 0, this.#streamId(), uint32(this.#random(16)));
    if (kind < 17) return frame(RawType.ping, this.#random(2), 0, Buffer.alloc(this.#one(9) ? 7 : 8));
    if (kind < 18) return this.#settings(this.#one(3));
    if (this.#one(6)) return this.#goaway();
    if (kind < 19) return frame(RawType.priority, 0, this.#streamId(), this.#bytes(this.#one(5) ? 4 : 5));
    return this.#odd();
  }

  #streamId(): number {
    if (this.#one(8)) return this.#one(2) ? this.#random(40) : pick(this.#random, oddNumbers);
    return this.#open.length === 0 ? 0 : pick(this.#random, this.#open);
  }

  #bytes(length: number): Buffer {
    return Buffer.from(Array.from({ length }, () => this.#random(256)));
  }

  #settings(isOdd: boolean): Buffer {
    const payload = Buffer.alloc(6 * this.#random(4));
    for (let at = 0; at < payload.length; at += 6) {
      const id = 1 + this.#random(isOdd ? 9 : 4);
      payload.writeUInt16BE(id, at);
      const value = isOdd ? pick(this.#random, oddNumbers) : this.#random(id === 2 ? 1 : 100_000);
      payload.writeUInt32BE(value, at + 2);
    }
    return frame(RawType.settings, isOdd && this.#one(4) ? RawFlag.ack : 0, 0, payload);
  }

  #goaway(): Buffer {
    const last = this.#one(3) ? pick(this.#random, oddNumbers) : this.#random(8);
    const text = this.#one(3) ? "too_many_pings" : "";
    return frame(RawType.goaway, 0, 0, Buffer.concat([uint32(last), uint32(this.#random(14)), Buffer.from(text)]));
  }

  #request(): Buffer {
    const id = this.#one(30) ? pick(this.#random, oddNumbers) : this.#nextId;
    this.#nextId += this.#one(20) ? 8 : 2;
    this.#open.push(id);
    const fields = grpcFields(pick(this.#random, fuzzPaths));
    if (this.#one(20)) fields.splice(2 * this.#random(6), 2);
    for (let left = this.#random(3); left > 0; left--) fields.push(...pick(this.#random, oddFields));
    return this.#headers(id, fields, this.#one(2));
  }

  #response(): Buffer {
    const status = this.#one(6) ? pick(this.#random, oddStatuses) : "200";
    const fields = [":status", status, "content-type", "application/grpc"];
    for (let left = this.#random(3); left > 0; left--) fields.push(...pick(this.#random, oddFields));
    const isOnly = this.#one(5);
    if (isOnly) fields.push("grpc-status", String(this.#random(18)), "grpc-message", "no%20%zz");
    return this.#headers(this.#streamId(), fields, isOnly);
  }

  #trailers(): Buffer {
    const fields = this.#isClient ? ["x-end", "1"] : ["grpc-status", pick(this.#random, ["0", "5", "x", ""])];
    if (this.#one(5)) fields.push(...pick(this.#random, oddFields));
    return this.#headers(this.#streamId(), fields, !this.#one(6));
  }

  #headers(id: number, fields: readonly string[], isEnd: boolean): Buffer {
    let block = this.#block(fields);
    if (this.#one(12)) block = this.#mutated(block);
    const end = isEnd ? endStream : 0;
    if (this.#one(8)) {
      const at = this.#random(block.length + 1);
      const last = frame(RawType.continuation, endHeaders, this.#one(12) ? (id + 2) >>> 0 : id, block.subarray(at));
      return Buffer.concat([frame(RawType.headers, end, id, block.subarray(0, at)), last]);
    }
    if (this.#one(8)) {
      const length = this.#random(4);
      const parts = [Buffer.of(length), this.#bytes(5), block, Buffer.alloc(length)];
      return frame(RawType.headers, end | endHeaders | padded | priority, id, Buffer.concat(parts));
    }
    return frame(RawType.headers, end | endHeaders, id, block);
  }

  #block(fields: readonly string[]): Buffer {
    const target = Buffer.alloc(2000);
    let at = this.#encoder.begin(target, 0);
    for (let n = 0; n < fields.length; n += 2)
      at = this.#encoder.write(target, at, fields[n] ?? "", fields[n + 1] ?? "");
    return target.subarray(0, at);
  }

  #data(): Buffer {
    const message = this.#bytes(this.#random(this.#one(10) ? 300 : 20));
    const length = this.#one(10) ? pick(this.#random, oddNumbers) : message.length;
    const whole = Buffer.concat([Buffer.of(this.#one(8) ? this.#random(256) : 0), uint32(length % 2 ** 32), message]);
    const body = this.#one(6) ? whole.subarray(0, this.#random(whole.length)) : whole;
    const end = this.#one(4) ? endStream : 0;
    if (!this.#one(6)) return frame(RawType.data, end, this.#streamId(), body);
    const padding = this.#random(this.#one(4) ? 256 : 8);
    const parts = [Buffer.of(padding), body, Buffer.alloc(this.#one(6) ? 0 : padding)];
    return frame(RawType.data, end | padded, this.#streamId(), Buffer.concat(parts));
  }

  #odd(): Buffer {
    const type = this.#one(3) ? pick(this.#random, [RawType.goaway, RawType.continuation, 5]) : this.#random(256);
    return frame(type, this.#random(256), this.#streamId(), this.#bytes(this.#random(20)));
  }

  #mutated(bytes: Buffer): Buffer {
    let changed = Buffer.from(bytes);
    for (let left = 1 + this.#random(3); left > 0; left--) {
      const at = this.#random(changed.length + 1);
      const kind = this.#random(4);
      if (kind === 0) changed[at] = this.#random(256);
      else if (kind === 1)
        changed = Buffer.concat([changed.subarray(0, at), changed.subarray(at + 1 + this.#random(9))]);
      else if (kind === 2)
        changed = Buffer.concat([changed.subarray(0, at), this.#bytes(1 + this.#random(9)), changed.subarray(at)]);
      else changed = changed.subarray(0, this.#one(4) ? at : changed.length);
    }
    return changed;
  }

  #cut(bytes: Buffer): Buffer[] {
    const chunks: Buffer[] = [];
    const most = this.#one(10) ? 12 : 2000;
    for (let at = 0; at < bytes.length; ) {
      const end = at + 1 + this.#random(most);
      chunks.push(bytes.subarray(at, end));
      at = end;
    }
    return chunks;
  }
}
