import type { Metadata } from "@microts/core";

/** Metadata as the conformance messages carry it. */
interface Header {
  readonly name: string;
  readonly value: readonly string[];
}

export function metadataOf(headers: readonly Header[]): Metadata {
  const metadata: Record<string, string> = {};
  for (const { name, value } of headers) {
    const key = name.toLowerCase();
    metadata[key] = [...(key in metadata ? [metadata[key]] : []), ...value].join(", ");
  }
  return metadata;
}

export function headersOf(metadata: Metadata): { name: string; value: string[] }[] {
  return Object.entries(metadata).map(([name, value]) => ({ name, value: value.split(", ") }));
}
