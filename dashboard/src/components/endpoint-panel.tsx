import { type KeyboardEvent, type SubmitEvent, useId, useMemo, useRef, useState } from "react";
import { flushSync } from "react-dom";
import type { Endpoint } from "../api/contract.ts";
import { useCall } from "../call/use-call.ts";
import { requestFields } from "../form/field.ts";
import { type Editor, emptyEditor, requestIn, switched } from "../form/request-editor.ts";
import { CommandLines } from "./command-lines.tsx";
import { Reply } from "./reply.tsx";
import { RequestEditor } from "./request-editor.tsx";
import { Schema } from "./schema.tsx";

interface Props {
  readonly service: string;
  readonly endpoint: Endpoint;
  readonly namespace: string;
  readonly isOpen: boolean;
  readonly onToggle: () => void;
}

/** One endpoint: its form, the ways to call it, and the reply. It stays mounted while closed, and keeps what has been typed. */
export function EndpointPanel({ service, endpoint, namespace, isOpen, onToggle }: Props) {
  const id = useId();
  return (
    <section className="card endpoint" aria-labelledby={`${id}-title`}>
      <h3 id={`${id}-title`}>
        <button type="button" className="toggle" aria-expanded={isOpen} aria-controls={`${id}-body`} onClick={onToggle}>
          <span className="endpoint-name">{endpoint.name}</span>
          {endpoint.stream && <span className="badge">stream</span>}
        </button>
      </h3>
      <div id={`${id}-body`} className="endpoint-body" hidden={!isOpen}>
        {endpoint.description !== undefined && <p className="description">{endpoint.description}</p>}
        <EndpointForm service={service} endpoint={endpoint} namespace={namespace} />
      </div>
    </section>
  );
}

function EndpointForm({ service, endpoint, namespace }: Omit<Props, "isOpen" | "onToggle">) {
  const fields = useMemo(() => requestFields(endpoint.request), [endpoint.request]);
  const [editor, setEditor] = useState<Editor>(emptyEditor);
  const [isChecked, setChecked] = useState(false);
  const form = useRef<HTMLFormElement>(null);
  const { state, send, stop } = useCall();
  const { json, text, problems } = requestIn(editor, fields);
  const isBusy = state.status === "waiting" || (state.status === "stream" && state.end === undefined);

  function submit(event: SubmitEvent) {
    event.preventDefault();
    if (isBusy) return;
    flushSync(() => setChecked(problems.size > 0));
    if (problems.size > 0) form.current?.querySelector<HTMLElement>("[aria-invalid=true]")?.focus();
    else send(service, endpoint.name, text);
  }

  return (
    <form ref={form} onSubmit={submit} onKeyDown={sendByKey} noValidate>
      <RequestEditor
        editor={editor}
        fields={fields}
        problems={isChecked ? problems : new Map()}
        onChange={setEditor}
        onSwitch={() => setEditor(switched(editor, fields))}
      />
      <div className="actions">
        <button type="submit" className="primary" disabled={isBusy} title="Ctrl+Enter">
          Send
        </button>
        {isBusy && (
          <button type="button" onClick={stop}>
            Stop
          </button>
        )}
      </div>
      <Reply state={state} />
      <CommandLines {...{ service, endpoint, namespace, json, text }} />
      <Schema endpoint={endpoint} />
    </form>
  );
}

function sendByKey(event: KeyboardEvent<HTMLFormElement>): void {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    event.currentTarget.requestSubmit();
  }
}
