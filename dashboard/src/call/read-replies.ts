import { type ErrorBody, isErrorBody } from "../api/contract.ts";
import { prettyJson } from "../json-text.ts";
import { textLines } from "./text-lines.ts";

export interface StreamReply {
  /** From 1. */
  readonly number: number;
  /** Milliseconds since the call was sent. */
  readonly ms: number;
  readonly text: string;
}

interface Batch {
  readonly replies: readonly StreamReply[];
  /** What ended the stream. */
  readonly error?: ErrorBody;
}

/** Milliseconds between batches: a fast stream must not redraw the page for every reply. */
const batchMs = 50;

/** The replies of a streaming call, those that came in quick succession together. Throws when the connection breaks. */
export async function* readReplies(
  body: ReadableStream<Uint8Array>,
  elapsed: () => number,
): AsyncGenerator<Batch, void, void> {
  const lines = textLines(body);
  let next = lines.next();
  let number = 0;
  for (;;) {
    const first = await next;
    if (first.done) return;
    const batch: StreamReply[] = [];
    let error: ErrorBody | undefined;
    const deadline = elapsed() + batchMs;
    for (let line: IteratorResult<string, void> | undefined = first; line !== undefined && !line.done; ) {
      error = errorIn(line.value);
      if (error === undefined) batch.push({ number: ++number, ms: elapsed(), text: readable(line.value) });
      next = lines.next();
      line = elapsed() < deadline ? await within(next, deadline - elapsed()) : undefined;
    }
    yield { replies: batch, ...(error && { error }) };
  }
}

/** Characters that fit on a line of the page. */
const shortLength = 100;

function readable(json: string): string {
  return json.length <= shortLength ? json : prettyJson(json);
}

/** The promise's value, or undefined when it takes longer; a rejection is left for whoever awaits the promise. */
async function within<T>(promise: Promise<T>, ms: number): Promise<T | undefined> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), ms);
  });
  try {
    return await Promise.race([promise.catch(() => undefined), late]);
  } finally {
    clearTimeout(timer);
  }
}

/** The server ends a stream that fails after its first reply with the line `{"error": {id, code, detail, status}}`. */
function errorIn(line: string): ErrorBody | undefined {
  if (!line.startsWith('{"error":')) return undefined;
  try {
    const { error, ...rest } = JSON.parse(line) as { readonly error?: unknown };
    return isErrorBody(error) && Object.keys(rest).length === 0 ? error : undefined;
  } catch {
    return undefined;
  }
}
