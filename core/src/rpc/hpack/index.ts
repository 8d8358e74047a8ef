export { HpackDecoder, HpackError } from "./decoder.ts";
export { fieldBound, HpackEncoder } from "./encoder.ts";
