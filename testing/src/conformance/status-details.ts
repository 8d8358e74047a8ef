import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import type { Any } from "@bufbuild/protobuf/wkt";
import { type Status, StatusError } from "@microts/core/rpc";
import type { Error as ConformanceError } from "../../gen/connectrpc/conformance/v1/service_pb.ts";
import { StatusSchema } from "../../gen/google/rpc/status_pb.ts";

/** A status that carries details, as gRPC does: a google.rpc.Status in base64 without padding. */
export function failure(
  {
    code,
    message = "",
    details,
  }: Pick<ConformanceError, "code" | "details"> & { readonly message?: string | undefined },
  trailers: Status["trailers"],
): StatusError {
  const bytes = toBinary(StatusSchema, create(StatusSchema, { code, message, details }));
  const encoded = Buffer.from(bytes).toString("base64").replace(/=+$/, "");
  return new StatusError({ code, message, ...(details.length > 0 && { details: encoded }), trailers });
}

/** The details of a status; none when it has none. */
export function detailsOf({ details }: Status): Any[] {
  return details === undefined ? [] : fromBinary(StatusSchema, Buffer.from(details, "base64")).details;
}
