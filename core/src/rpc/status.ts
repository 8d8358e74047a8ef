import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { codeOfGrpcStatus, GrpcStatus, grpcStatusOf, MicroError } from "../errors.ts";
import { type Status, StatusError } from "./transport.ts";

export const okStatus: Status = { code: GrpcStatus.ok, message: "", trailers: {} };

/** The status a thrown thing ends a call with: Micro's error as JSON in the message and as `errors.Error` in the details (wire §4). */
export function statusOf(reason: unknown, id: string): Status {
  if (reason instanceof StatusError) return reason.status;
  const error = shortened(MicroError.from(reason, id));
  const message = JSON.stringify(error);
  const code = grpcStatusOf(error.code);
  // Whoever reads the details can read the message too: they are left out before they fill the trailers.
  const details = message.length <= maxDetailBytes / 4 ? { details: statusDetails(code, message, error) } : {};
  return { code, message, ...details, trailers: {} };
}

/** What the protocol itself finds wrong with a call: Micro's error in the message alone. Details are for what services say (gRPC conformance). */
export function finding(error: MicroError): StatusError {
  return new StatusError({ code: grpcStatusOf(error.code), message: JSON.stringify(error), trailers: {} });
}

/** A longer detail could be three times its size in percent-encoding, and peers take 64 KiB of trailers at most. */
const maxDetailBytes = 8192;
const keptCharacters = 2000;

function shortened(error: MicroError): MicroError {
  const { code, id, detail } = error;
  if (Buffer.byteLength(JSON.stringify(detail)) <= maxDetailBytes) return error;
  const left = detail.length - keptCharacters;
  const start = detail.slice(0, keptCharacters).toWellFormed();
  return new MicroError(code, id.slice(0, 200), `${start}… (${left} more characters left out)`, { cause: error });
}

/**
 * The Micro error a status stands for. Proxies of the original nest errors as JSON inside `detail`; the innermost wins (wire §4).
 * A message that is no Micro error becomes the detail, under the code that belongs to the gRPC status.
 */
export function errorOf({ code, message }: Status, id: string): MicroError {
  let error = parse(message);
  for (let inner = error; inner !== undefined; inner = parse(inner.detail)) error = inner;
  return error ?? new MicroError(codeOfGrpcStatus(code), id, message || `the call ended with gRPC status ${code}`);
}

function parse(text: string): MicroError | undefined {
  if (!text.startsWith("{")) return undefined;
  try {
    return MicroError.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}

/** google.rpc.Status{code, message, details:[Any{errors.Error}]} in base64, unpadded as gRPC sends binary metadata. */
function statusDetails(code: number, message: string, error: MicroError): string {
  const text = (writer: BinaryWriter, field: number, value: string) => {
    if (value !== "") writer.tag(field, WireType.LengthDelimited).string(value);
  };
  const body = new BinaryWriter();
  text(body, 1, error.id);
  body.tag(2, WireType.Varint).int32(error.code);
  text(body, 3, error.detail);
  text(body, 4, error.status);
  const any = new BinaryWriter();
  text(any, 1, "type.googleapis.com/errors.Error");
  any.tag(2, WireType.LengthDelimited).bytes(body.finish());
  const status = new BinaryWriter();
  status.tag(1, WireType.Varint).int32(code);
  text(status, 2, message);
  status.tag(3, WireType.LengthDelimited).bytes(any.finish());
  return Buffer.from(status.finish()).toString("base64").replace(/=+$/, "");
}

/** Percent-encodes a `grpc-message` (gRPC over HTTP/2, Status-Message): everything but printable ASCII, and `%`. */
export function encodeStatusMessage(message: string): string {
  return /^[\x20-\x24\x26-\x7e]*$/.test(message)
    ? message
    : Buffer.from(message).reduce((text, byte) => text + encodeByte(byte), "");
}

function encodeByte(byte: number): string {
  return byte >= 0x20 && byte <= 0x7e && byte !== 0x25
    ? String.fromCharCode(byte)
    : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
}

/** Undoes `encodeStatusMessage`; malformed escapes stay as they are. */
export function decodeStatusMessage(message: string): string {
  return message.replace(/(?:%[0-9a-fA-F]{2})+/g, (escapes) =>
    Buffer.from(escapes.replaceAll("%", ""), "hex").toString(),
  );
}
