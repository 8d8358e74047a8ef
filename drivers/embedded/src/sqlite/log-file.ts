import { closeSync, fstatSync, openSync, readSync } from "node:fs";

/** What the write-ahead log holds that a crash alone doesn't explain. */
export interface LogDamage {
  /** The log is good up to here. */
  readonly goodBytes: number;
  /** So many transactions after that were written whole; all but the last one had been acknowledged. */
  readonly lostTransactions: number;
}

const headerBytes = 32;
const frameHeaderBytes = 24;
const bigEndianMagic = 0x377f0683;
const littleEndianMagic = 0x377f0682;

/**
 * Looks at the log of a database that nobody has open (sqlite.org/fileformat2.html, "WAL file format"). SQLite ends it at the first frame whose checksum
 * is wrong and takes that for the place of a crash. A crash leaves the last transaction torn and no more: each is synced before the next begins. So when two
 * transactions end after that frame, the disk has altered it, and what was acknowledged would be dropped without a word. Undefined when all is well.
 */
export function damageOfLog(path: string): LogDamage | undefined {
  const file = open(path);
  if (file === undefined) return undefined;
  try {
    return examine(file, fstatSync(file).size);
  } finally {
    closeSync(file);
  }
}

function examine(file: number, size: number): LogDamage | undefined {
  const header = bytesAt(file, 0, headerBytes);
  if (header.length < headerBytes || header.every((byte) => byte === 0)) return undefined;
  const magic = header.readUInt32BE(0);
  const sum = new LogChecksum(magic === bigEndianMagic);
  sum.add(header.subarray(0, 24));
  const isKnown = magic === bigEndianMagic || magic === littleEndianMagic;
  if (!isKnown || !sum.is(header, 24)) return { goodBytes: 0, lostTransactions: 0 };
  const frameBytes = frameHeaderBytes + header.readUInt32BE(8);
  const salts = header.subarray(16, 24);
  let goodBytes = headerBytes;
  let isGood = true;
  let lostTransactions = 0;
  for (let at = headerBytes; at + frameBytes <= size; at += frameBytes) {
    const frame = bytesAt(file, at, isGood ? frameBytes : frameHeaderBytes);
    const isOfThisLog = frame.subarray(8, 16).equals(salts);
    const endsTransaction = frame.readUInt32BE(4) !== 0;
    if (isGood) {
      sum.add(frame.subarray(0, 8));
      sum.add(frame.subarray(frameHeaderBytes));
      isGood = isOfThisLog && sum.is(frame, 16);
    }
    if (!endsTransaction) continue;
    if (isGood) goodBytes = at + frameBytes;
    else if (isOfThisLog) lostTransactions++;
  }
  return lostTransactions > 1 ? { goodBytes, lostTransactions } : undefined;
}

function open(path: string): number | undefined {
  try {
    return openSync(path, "r");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

function bytesAt(file: number, position: number, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  return bytes.subarray(0, readSync(file, bytes, 0, length, position));
}

/** The running checksum over header and frames. */
class LogChecksum {
  readonly #isBigEndian: boolean;
  #first = 0;
  #second = 0;

  constructor(isBigEndian: boolean) {
    this.#isBigEndian = isBigEndian;
  }

  add(bytes: Buffer): void {
    const words = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    for (let at = 0; at + 8 <= bytes.byteLength; at += 8) {
      this.#first = (this.#first + words.getUint32(at, !this.#isBigEndian) + this.#second) | 0;
      this.#second = (this.#second + words.getUint32(at + 4, !this.#isBigEndian) + this.#first) | 0;
    }
  }

  is(bytes: Buffer, at: number): boolean {
    return bytes.readUInt32BE(at) === this.#first >>> 0 && bytes.readUInt32BE(at + 4) === this.#second >>> 0;
  }
}
