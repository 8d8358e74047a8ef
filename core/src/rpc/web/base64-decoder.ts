import { GrpcStatus } from "../../errors.ts";
import { StatusError } from "../transport.ts";

/**
 * Decodes a body of application/grpc-web-text as it comes. Each of its pieces was encoded on its own, so padding may stand between them
 * (PROTOCOL-WEB.md), and the network cuts where it likes.
 */
export class Base64Decoder {
  /** Up to three characters of a group of four. */
  #rest = "";

  /** The bytes that the characters complete. Throws a StatusError when they aren't base64. */
  push(chunk: Buffer, start: number, end: number): Buffer {
    const text = this.#rest + chunk.toString("latin1", start, end);
    const usable = text.length - (text.length % 4);
    this.#rest = text.slice(usable);
    const decoded = Buffer.allocUnsafe((usable / 4) * 3);
    let filled = 0;
    for (let at = 0; at < usable; ) {
      const to = endOfPiece(text, at, usable);
      filled += decode(text.slice(at, to), decoded, filled);
      at = to;
    }
    return decoded.subarray(0, filled);
  }

  /** The last bytes, of a sender that leaves padding out. Throws a StatusError when there can't be any. */
  end(): Buffer {
    const decoded = Buffer.allocUnsafe(3);
    const rest = this.#rest.padEnd(4, "=");
    const filled = this.#rest === "" ? 0 : decode(rest, decoded, 0);
    this.#rest = "";
    return decoded.subarray(0, filled);
  }
}

/** Behind the next group that ends with padding. */
function endOfPiece(text: string, from: number, usable: number): number {
  const padding = text.indexOf("=", from);
  return padding < 0 || padding >= usable ? usable : padding - (padding % 4) + 4;
}

function decode(piece: string, to: Buffer, at: number): number {
  const padding = piece.endsWith("==") ? 2 : piece.endsWith("=") ? 1 : 0;
  const expected = (piece.length / 4) * 3 - padding;
  // Node skips what isn't base64, and stops at padding: the length tells.
  if (to.write(piece, at, "base64") === expected) return expected;
  throw new StatusError({
    code: GrpcStatus.internal,
    message: "the body isn't base64, which application/grpc-web-text is written in",
    trailers: {},
  });
}
