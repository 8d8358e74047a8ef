import { memo, useEffect, useRef } from "react";
import type { ErrorBody } from "../api/contract.ts";
import type { StreamReply } from "../call/read-replies.ts";
import type { CallState } from "../call/use-call.ts";
import { jsonTokens } from "../json-text.ts";
import { plural } from "./plural.ts";

/** The reply to the last call; nothing before the first. */
export function Reply({ state }: { readonly state: CallState }) {
  if (state.status === "idle") return null;
  return (
    <section className="reply" aria-label="Reply" aria-busy={state.status === "waiting"}>
      <p className="reply-status" role="status">
        <Summary state={state} />
      </p>
      {state.status === "done" && <JsonView text={state.text} />}
      {state.status === "stream" && <Replies replies={state.replies} />}
      {state.status === "failed" && <ErrorView error={state.error} />}
      {state.status === "stream" && typeof state.end === "object" && <ErrorView error={state.end} />}
    </section>
  );
}

function Summary({ state }: { readonly state: Exclude<CallState, { status: "idle" }> }) {
  if (state.status === "waiting") return <span className="badge">waiting…</span>;
  const time = duration(state.ms);
  if (state.status === "stopped") return <Status kind="quiet" text="stopped" details={[time]} />;
  if (state.status === "done") {
    return <Status kind="good" text={`${state.code} OK`} details={[time, size(state.bytes)]} />;
  }
  if (state.status === "failed") return <Status kind="bad" text={codeAndStatus(state.error)} details={[time]} />;
  const details = [plural(state.total, "reply", "replies"), time];
  if (state.end === undefined) return <Status kind="live" text="streaming" details={details} />;
  if (typeof state.end === "object") return <Status kind="bad" text={codeAndStatus(state.end)} details={details} />;
  return <Status kind={state.end === "complete" ? "good" : "quiet"} text={state.end} details={details} />;
}

interface StatusProps {
  readonly kind: "good" | "bad" | "live" | "quiet";
  readonly text: string;
  readonly details: readonly string[];
}

function Status({ kind, text, details }: StatusProps) {
  return (
    <>
      <span className={`badge ${kind}`}>{text}</span> {details.join(" · ")}
    </>
  );
}

/** Shows the end of the list for as long as the reader hasn't scrolled away from it. */
function Replies({ replies }: { readonly replies: readonly StreamReply[] }) {
  const list = useRef<HTMLOListElement>(null);
  const isAtEnd = useRef(true);
  useEffect(() => {
    if (isAtEnd.current && replies.length > 0) list.current?.scrollTo({ top: list.current.scrollHeight });
  }, [replies]);
  function remember() {
    const { scrollTop = 0, clientHeight = 0, scrollHeight = 0 } = list.current ?? {};
    isAtEnd.current = scrollTop + clientHeight >= scrollHeight - 8;
  }
  if (replies.length === 0) return null;
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls has to be reachable by keyboard.
    <ol className="replies" ref={list} onScroll={remember} tabIndex={0} aria-label="Replies">
      {replies.map((reply) => (
        <ReplyItem key={reply.number} reply={reply} />
      ))}
    </ol>
  );
}

const ReplyItem = memo(({ reply: { number, ms, text } }: { readonly reply: StreamReply }) => (
  <li>
    <span className="reply-number">
      {number} · {duration(ms)}
    </span>
    <JsonView text={text} />
  </li>
));

function ErrorView({ error }: { readonly error: ErrorBody }) {
  return (
    <div className="error" role="alert">
      <p>{error.detail}</p>
      {error.id !== "" && (
        <p className="hint">
          from <code>{error.id}</code>
        </p>
      )}
    </div>
  );
}

/** Characters; what is longer is shown without colours. */
const colouredLength = 100_000;

const JsonView = memo(({ text }: { readonly text: string }) => (
  // biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls has to be reachable by keyboard.
  <pre className="json-view" tabIndex={0}>
    {text.length > colouredLength
      ? text
      : jsonTokens(text).map(({ kind, text: part }, index) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: the tokens of a text never move.
          <span key={index} className={`json-${kind}`}>
            {part}
          </span>
        ))}
  </pre>
));

function codeAndStatus({ code, status }: ErrorBody): string {
  return [code === 0 ? "" : String(code), status].join(" ").trim() || "failed";
}

function duration(ms: number): string {
  return ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`;
}

function size(bytes: number): string {
  return bytes < 1024 ? `${bytes} B` : `${(bytes / 1024).toFixed(1)} KiB`;
}
