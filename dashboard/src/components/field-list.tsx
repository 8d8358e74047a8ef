import { type Draft, type DraftFields, draftOf, withDraft } from "../form/draft.ts";
import type { Field } from "../form/field.ts";
import { type Problems, pathOf } from "../form/to-json.ts";
import { ItemsEditor } from "./items-editor.tsx";
import { Problem } from "./problem.tsx";
import { ScalarInput } from "./scalar-input.tsx";

interface Props {
  /** What ids of elements begin with. Names of fields don't go into them. */
  readonly id: string;
  readonly path: string;
  readonly fields: readonly Field[];
  readonly drafts: DraftFields;
  readonly problems: Problems;
  readonly onChange: (drafts: DraftFields) => void;
}

/** The fields of a message, nested ones included. */
export function FieldList({ id, path, fields, drafts, problems, onChange }: Props) {
  return (
    <div className="fields">
      {fields.map((field, index) => (
        <FieldEditor
          key={field.name}
          id={`${id}-${index}`}
          path={pathOf(path, field.name)}
          field={field}
          draft={draftOf(field, drafts)}
          problems={problems}
          onChange={(draft) => onChange(withDraft(drafts, field.name, draft))}
        />
      ))}
    </div>
  );
}

interface FieldProps {
  readonly id: string;
  readonly path: string;
  readonly field: Field;
  readonly draft: Draft;
  readonly problems: Problems;
  readonly onChange: (draft: Draft) => void;
}

function FieldEditor(props: FieldProps) {
  const { id, path, field, draft, problems, onChange } = props;
  if (field.kind === "message" && draft.kind === "message") {
    return (
      <fieldset className="message">
        <legend>
          {field.name} <span className="type">{field.type}</span>
        </legend>
        <FieldList
          {...{ id, path, problems }}
          fields={field.fields}
          drafts={draft.fields}
          onChange={(fields) => onChange({ kind: "message", fields })}
        />
      </fieldset>
    );
  }
  if ((field.kind === "list" || field.kind === "map") && draft.kind === "items") {
    const change = (items: typeof draft.items) => onChange({ kind: "items", items });
    return <ItemsEditor {...{ id, path, problems }} field={field} items={draft.items} onChange={change} />;
  }
  return draft.kind === "text" ? <TextField {...props} text={draft.text} /> : null;
}

function TextField({ id, path, field, text, problems, onChange }: FieldProps & { readonly text: string }) {
  const problem = problems.get(path);
  const input = {
    id,
    "aria-invalid": problem !== undefined,
    "aria-describedby": `${id}-problem`,
  };
  return (
    <div className="field">
      <label htmlFor={id}>
        {field.name} <span className="type">{field.type === "[]uint8" ? "bytes" : field.type}</span>
      </label>
      {field.kind === "scalar" ? (
        <ScalarInput {...input} scalar={field.scalar} text={text} onChange={(next) => onChange(textDraft(next))} />
      ) : (
        <textarea
          {...input}
          className="json"
          rows={3}
          placeholder="JSON"
          spellCheck={false}
          value={text}
          onChange={(event) => onChange(textDraft(event.target.value))}
        />
      )}
      <Problem id={`${id}-problem`} text={problem} />
    </div>
  );
}

function textDraft(text: string): Draft {
  return { kind: "text", text };
}
