/**
 * The Huffman code of RFC 7541 Appendix B. The code is canonical: the codes of one length are consecutive numbers in the order of their
 * symbols, so that the lengths say everything. One base-36 digit for each octet; EOS, the only other symbol, is thirty ones.
 */
const appendixB =
  "dnsssssssoussussssssssusssssssss6aacd68baa8b8666555666666678f6ca" +
  "d67777777777777777777777878djde6f56565666577666567655677777fbeds" +
  "kmkkmmmnmnnnnnonoomnonnnnlmnmnnomlkmmnnlnmmolmnnllmlnmnnkmmmnmmn" +
  "qqkjmnmpqqqrrqopjlqrrqrollqqsrrrkoklmllnmmppooqnqrqqrrrrrsrrrrrq";

const longest = 30;
const lengths = Uint8Array.from(appendixB, (digit) => Number.parseInt(digit, 36));
const codes = new Uint32Array(256);

/** Symbols in the order of their codes; those of one length begin at `firstPosition[length]` with the code `firstCode[length]`. */
const symbols = new Uint8Array(256);
const firstPosition = new Uint16Array(longest + 2);
const firstCode = new Uint32Array(longest + 2);

/** For each next eight bits: `length << 8 | symbol` of the code they begin with, 0 when that code is longer than eight bits. */
const byNextBits = new Uint16Array(256);

const counts = new Uint16Array(longest + 1);
for (const length of lengths) counts[length] = (counts[length] ?? 0) + 1;
for (let length = 1; length <= longest; length++) {
  const count = counts[length] ?? 0;
  firstPosition[length + 1] = (firstPosition[length] ?? 0) + count;
  firstCode[length + 1] = ((firstCode[length] ?? 0) + count) * 2;
}

/** Of each length: the code of the next symbol. */
const nextCode = firstCode.slice();
for (const [symbol, length] of lengths.entries()) {
  const code = nextCode[length] ?? 0;
  nextCode[length] = code + 1;
  codes[symbol] = code;
  symbols[(firstPosition[length] ?? 0) + code - (firstCode[length] ?? 0)] = symbol;
  if (length <= 8) byNextBits.fill((length << 8) | symbol, code << (8 - length), (code + 1) << (8 - length));
}

/** The octets that `text` (latin1) takes when it is Huffman coded. */
export function huffmanLength(text: string): number {
  let bits = 0;
  for (let i = 0; i < text.length; i++) bits += lengths[text.charCodeAt(i) & 0xff] ?? 0;
  return (bits + 7) >>> 3;
}

/** Writes `text` (latin1) Huffman coded, padded with ones (RFC 7541 §5.2). Returns the offset behind. */
export function writeHuffman(target: Uint8Array, offset: number, text: string): number {
  let at = offset;
  let pending = 0;
  let bits = 0;
  for (let i = 0; i < text.length; i++) {
    const symbol = text.charCodeAt(i) & 0xff;
    const code = codes[symbol] ?? 0;
    // A code of 30 bits behind 7 pending ones is more than an integer holds: what is over a byte goes in one at a time.
    for (let left = lengths[symbol] ?? 0; left > 0; ) {
      const taken = Math.min(left, 8 - bits);
      left -= taken;
      pending = (pending << taken) | ((code >>> left) & ((1 << taken) - 1));
      bits += taken;
      if (bits < 8) continue;
      target[at++] = pending;
      pending = 0;
      bits = 0;
    }
  }
  if (bits > 0) target[at++] = (pending << (8 - bits)) | (0xff >>> bits);
  return at;
}

/** An upper bound of the octets that `length` Huffman coded octets stand for: no code is shorter than five bits. */
export function decodedBound(length: number): number {
  return Math.ceil((length * 8) / 5);
}

/**
 * Decodes source[start, end) into `target`, which has room for `decodedBound`. Returns the number of octets written, or -1 when the
 * coding is wrong (RFC 7541 §5.2): EOS inside, a padding that is longer than seven bits or not the beginning of EOS.
 */
export function readHuffman(source: Uint8Array, start: number, end: number, target: Uint8Array): number {
  let from = start;
  let to = 0;
  /** The low `bits` of it are read and not used. */
  let held = 0;
  let bits = 0;
  for (;;) {
    if (bits < 8 && from < end) {
      held = (held << 8) | (source[from++] ?? 0);
      bits += 8;
    }
    // At the end the missing bits are taken for padding.
    const next = (bits < 8 ? (held << (8 - bits)) | (0xff >>> bits) : held >>> (bits - 8)) & 0xff;
    const found = byNextBits[next] ?? 0;
    if (found !== 0) {
      if (found >>> 8 > bits) break;
      bits -= found >>> 8;
      target[to++] = found;
      continue;
    }
    if (bits < 8) break;
    bits -= 8;
    let code = next;
    let symbol = -1;
    for (let length = 9; symbol < 0; length++) {
      if (length > longest) return -1;
      if (bits === 0) {
        if (from === end) return -1;
        held = source[from++] ?? 0;
        bits = 8;
      }
      bits--;
      code = (code << 1) | ((held >>> bits) & 1);
      symbol = symbolOf(code, length);
    }
    target[to++] = symbol;
  }
  const padding = (1 << bits) - 1;
  return (held & padding) === padding ? to : -1;
}

/** The symbol with this code; -1 when the code with these first bits is longer, or is EOS. */
function symbolOf(code: number, length: number): number {
  const place = (firstPosition[length] ?? 0) + code - (firstCode[length] ?? 0);
  return place < (firstPosition[length + 1] ?? 0) ? (symbols[place] ?? 0) : -1;
}
