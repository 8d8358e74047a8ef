import { useEffect, useRef, useState } from "react";
import { ApiError, call } from "../api/client.ts";
import type { ErrorBody } from "../api/contract.ts";
import { prettyJson } from "../json-text.ts";
import { readReplies, type StreamReply } from "./read-replies.ts";

/** Times are milliseconds since the call was sent. */
export type CallState =
  | { readonly status: "idle" }
  | { readonly status: "waiting" }
  | { readonly status: "stopped"; readonly ms: number }
  | { readonly status: "failed"; readonly ms: number; readonly error: ErrorBody }
  | {
      readonly status: "done";
      readonly ms: number;
      readonly code: number;
      readonly bytes: number;
      readonly text: string;
    }
  | StreamState;

interface StreamState {
  readonly status: "stream";
  readonly ms: number;
  readonly total: number;
  /** The latest, in the order in which they came. */
  readonly replies: readonly StreamReply[];
  /** undefined while replies may still come. */
  readonly end?: "complete" | "stopped" | ErrorBody;
}

/** Makes one call at a time; leaving the page stops it. */
export function useCall() {
  const [state, setState] = useState<CallState>({ status: "idle" });
  const running = useRef<AbortController>(undefined);
  useEffect(() => () => running.current?.abort(), []);

  function send(service: string, endpoint: string, json: string): void {
    running.current?.abort();
    const stopping = new AbortController();
    running.current = stopping;
    setState({ status: "waiting" });
    const update: Update = (next) => running.current === stopping && setState(next);
    void makeCall(service, endpoint, json, stopping.signal, update);
  }

  return { state, send, stop: () => running.current?.abort() };
}

type Update = (next: CallState | ((last: CallState) => CallState)) => void;

async function makeCall(service: string, endpoint: string, json: string, signal: AbortSignal, update: Update) {
  const startedAt = performance.now();
  const elapsed = () => performance.now() - startedAt;
  try {
    const response = await call(service, endpoint, json, signal);
    if (response.headers.get("content-type")?.startsWith("application/x-ndjson") && response.body !== null) {
      await showStream(response.body, elapsed, signal, update);
    } else {
      const bytes = await response.arrayBuffer();
      const text = prettyJson(new TextDecoder().decode(bytes));
      update({ status: "done", ms: elapsed(), code: response.status, bytes: bytes.byteLength, text });
    }
  } catch (reason) {
    const ms = elapsed();
    update(signal.aborted ? { status: "stopped", ms } : { status: "failed", ms, error: errorOf(reason) });
  }
}

/** More than these would slow the page down; the count goes on. */
const keptReplies = 500;

async function showStream(
  body: ReadableStream<Uint8Array>,
  elapsed: () => number,
  signal: AbortSignal,
  update: Update,
): Promise<void> {
  let stream: StreamState = { status: "stream", ms: elapsed(), total: 0, replies: [] };
  const show = (change: Partial<StreamState>) => {
    stream = { ...stream, ...change, ms: elapsed() };
    update(stream);
  };
  show({});
  try {
    for await (const batch of readReplies(body, elapsed)) {
      const replies = [...stream.replies, ...batch.replies].slice(-keptReplies);
      show({ replies, total: stream.total + batch.replies.length, ...(batch.error && { end: batch.error }) });
    }
    if (stream.end === undefined) show({ end: "complete" });
  } catch (reason) {
    show({ end: signal.aborted ? "stopped" : errorOf(reason) });
  }
}

function errorOf(reason: unknown): ErrorBody {
  if (reason instanceof ApiError) return reason.body;
  return { id: "dashboard", code: 0, detail: "The connection was lost before the reply was complete.", status: "" };
}
