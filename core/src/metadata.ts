/**
 * What travels beside a message: gRPC metadata without the reserved headers. Keys are lower-case; a value sent more than once is joined
 * with ", " (wire §2.3). Binary values (`-bin` keys) stay in their base64 form.
 */
export type Metadata = Readonly<Record<string, string>>;

/** Keys that HTTP/2, gRPC or one hop own; they are never passed on as metadata. */
const reserved = new Set([
  "accept-encoding",
  "connection",
  "content-length",
  "content-type",
  "grpc-accept-encoding",
  "grpc-encoding",
  "grpc-message",
  "grpc-message-type",
  "grpc-status",
  "grpc-status-details-bin",
  "grpc-timeout",
  "host",
  "http2-settings",
  "keep-alive",
  "proxy-connection",
  "te",
  "timeout",
  "trailer",
  "transfer-encoding",
  "upgrade",
  "user-agent",
  "x-content-type",
]);

export function isReservedKey(key: string): boolean {
  return key.startsWith(":") || reserved.has(key);
}

const validKey = /^[0-9a-z_.-]+$/;

/** Whether `key` may be a metadata key: lower-case letters, digits, `_`, `-` and `.`, and not reserved. */
export function isMetadataKey(key: string): boolean {
  return validKey.test(key) && !isReservedKey(key);
}

/** An empty record that inherits nothing: no key is there unless it was sent. */
export function emptyMetadata(): Record<string, string> {
  return new (Bare as unknown as new () => Record<string, string>)();
}

// An instance is twice as fast to fill and to read as what Object.create(null) gives, which V8 keeps as a hash table.
function Bare(): void {}
Bare.prototype = Object.create(null);

/** A metadata record from any headers: lower-cased, reserved and malformed keys left out, lists joined. */
export function metadataFrom(
  headers: Iterable<readonly [string, string | readonly string[] | undefined]>,
): Record<string, string> {
  const metadata = emptyMetadata();
  for (const [name, value] of headers) {
    const key = name.toLowerCase();
    if (value === undefined || !isMetadataKey(key)) continue;
    metadata[key] = typeof value === "string" ? value : value.join(", ");
  }
  return metadata;
}

/** Names of the metadata that the platform itself reads. */
export const namespaceKey = "micro-namespace";
export const authorizationKey = "authorization";
