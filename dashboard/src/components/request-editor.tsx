import { useId } from "react";
import type { Field } from "../form/field.ts";
import { type Editor, jsonPath } from "../form/request-editor.ts";
import type { Problems } from "../form/to-json.ts";
import { FieldList } from "./field-list.tsx";
import { Problem } from "./problem.tsx";

interface Props {
  readonly editor: Editor;
  /** undefined when only JSON can describe the request. */
  readonly fields: readonly Field[] | undefined;
  readonly problems: Problems;
  readonly onChange: (editor: Editor) => void;
  readonly onSwitch: () => void;
}

export function RequestEditor({ editor, fields, problems, onChange, onSwitch }: Props) {
  const id = useId();
  const isJson = editor.isJson || fields === undefined;
  return (
    <div className="request">
      <div className="request-head">
        <h4>Request</h4>
        {fields !== undefined && (
          <label className="switch">
            <input type="checkbox" checked={editor.isJson} onChange={onSwitch} /> as JSON
          </label>
        )}
      </div>
      {editor.refusal !== undefined && (
        <p className="problem" role="alert">
          {editor.refusal}
        </p>
      )}
      {isJson ? (
        <>
          <label htmlFor={id} className="visually-hidden">
            Request as JSON
          </label>
          <textarea
            id={id}
            className="json"
            rows={6}
            placeholder="{}"
            value={editor.text}
            spellCheck={false}
            aria-invalid={problems.has(jsonPath)}
            aria-describedby={`${id}-problem`}
            onChange={(event) => onChange({ isJson: editor.isJson, drafts: editor.drafts, text: event.target.value })}
          />
          <Problem id={`${id}-problem`} text={problems.get(jsonPath)} />
        </>
      ) : (
        <FieldList
          id={id}
          path=""
          fields={fields}
          drafts={editor.drafts}
          problems={problems}
          onChange={(drafts) => onChange({ ...editor, drafts })}
        />
      )}
      {fields?.length === 0 && !isJson && <p className="hint">This endpoint takes no fields.</p>}
    </div>
  );
}
