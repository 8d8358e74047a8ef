import type { IncomingMessage } from "node:http";
import { MicroError } from "@microts/core";

/** Bytes. */
const bodyLimit = 4 * 1024 * 1024;

const origin = "dashboard";
const decoder = new TextDecoder("utf-8", { fatal: true });

/**
 * The request's body: a JSON object of at most 4 MiB. Numbers that JavaScript can't hold exactly keep their digits when they are
 * written as JSON again. Throws 400 or 413.
 */
export async function readJsonBody(request: IncomingMessage): Promise<Readonly<Record<string, unknown>>> {
  const body = parse(await read(request));
  if (typeof body !== "object" || body === null || Array.isArray(body)) {
    throw MicroError.badRequest(origin, "the request's body has to be a JSON object");
  }
  return body as Record<string, unknown>;
}

async function read(request: IncomingMessage): Promise<Uint8Array> {
  if (Number(request.headers["content-length"] ?? 0) > bodyLimit) throw tooLarge();
  const chunks: Uint8Array[] = [];
  let size = 0;
  // Not destroyed on the way out, so that the error can still be answered.
  for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Uint8Array>) {
    size += chunk.length;
    if (size > bodyLimit) throw tooLarge();
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function parse(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(decoder.decode(bytes), keepDigits);
  } catch (error) {
    throw MicroError.badRequest(origin, `the request's body isn't JSON: ${(error as Error).message}`);
  }
}

/** `JSON.rawJSON` and the third argument of a reviver: ECMAScript's JSON.parse source text access, not yet in TypeScript's library. */
const { rawJSON } = JSON as unknown as { rawJSON(text: string): unknown };

function keepDigits(this: unknown, _key: string, value: unknown, context?: { readonly source?: string }): unknown {
  if (typeof value !== "number" || Number.isSafeInteger(value) || context?.source === undefined) return value;
  return rawJSON(context.source);
}

function tooLarge(): MicroError {
  return MicroError.tooLarge(origin, `the request's body is larger than ${bodyLimit / 1024 / 1024} MiB`);
}
