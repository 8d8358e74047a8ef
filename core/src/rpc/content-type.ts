import type { Format } from "../codec/index.ts";
import { MicroError } from "../errors.ts";

/** How messages are written under a content type (wire §2.2). Throws 400 for one that isn't known. */
export function formatOf(contentType: string): Format {
  // What nearly all calls have.
  if (contentType === contentTypes.proto || contentType === "application/grpc") return "proto";
  const type = contentType.split(";", 1)[0]?.trim().toLowerCase() ?? "";
  switch (type) {
    case "application/json":
    case "application/grpc+json":
    case "application/grpc-web+json":
    case "multipart/form-data":
      return "json";
    case "application/grpc":
    case "application/grpc+proto":
    case "application/grpc-web":
    case "application/grpc-web+proto":
    case "application/proto":
    case "application/protobuf":
    case "application/octet-stream":
      return "proto";
    default:
      throw MicroError.notImplemented(
        "go.micro.server",
        `Unsupported Content-Type: ${contentType}. Use application/grpc+proto or application/grpc+json`,
      );
  }
}

export const contentTypes: Readonly<Record<Format, string>> = {
  proto: "application/grpc+proto",
  json: "application/grpc+json",
};
