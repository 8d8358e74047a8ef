import { flushSync } from "react-dom";
import { addItem, type Item } from "../form/draft.ts";
import type { Field } from "../form/field.ts";
import { type Problems, pathOf } from "../form/to-json.ts";
import { Problem } from "./problem.tsx";
import { ScalarInput } from "./scalar-input.tsx";

interface Props {
  readonly id: string;
  readonly path: string;
  readonly field: Extract<Field, { kind: "list" | "map" }>;
  readonly items: readonly Item[];
  readonly problems: Problems;
  readonly onChange: (items: readonly Item[]) => void;
}

/** The items of a list or the rows of a map, to add and remove. */
export function ItemsEditor({ id, path, field, items, problems, onChange }: Props) {
  const isMap = field.kind === "map";
  function add() {
    const next = addItem(items);
    flushSync(() => onChange(next));
    document.getElementById(`${id}-${next.at(-1)?.id}${isMap ? "-key" : ""}`)?.focus();
  }
  function remove(item: Item) {
    flushSync(() => onChange(items.filter((other) => other !== item)));
    document.getElementById(`${id}-add`)?.focus();
  }
  return (
    <fieldset className="items">
      <legend>
        {field.name} <span className="type">{field.type}</span>
      </legend>
      {items.map((item, index) => (
        <ItemRow
          key={item.id}
          id={`${id}-${item.id}`}
          label={isMap ? `${field.name}, row ${index + 1}` : `${field.name}, item ${index + 1}`}
          problem={problems.get(pathOf(path, item.id))}
          field={field}
          item={item}
          onChange={(changed) => onChange(items.map((other) => (other === item ? changed : other)))}
          onRemove={() => remove(item)}
        />
      ))}
      <button type="button" id={`${id}-add`} className="small" onClick={add}>
        {isMap ? "Add row" : "Add item"}
      </button>
    </fieldset>
  );
}

interface RowProps {
  readonly id: string;
  readonly label: string;
  readonly problem: string | undefined;
  readonly field: Props["field"];
  readonly item: Item;
  readonly onChange: (item: Item) => void;
  readonly onRemove: () => void;
}

function ItemRow({ id, label, problem, field, item, onChange, onRemove }: RowProps) {
  const validity = { "aria-invalid": problem !== undefined, "aria-describedby": `${id}-problem` };
  return (
    <>
      <div className="item">
        {field.kind === "map" && (
          <input
            {...validity}
            id={`${id}-key`}
            type="text"
            aria-label={`${label}, key`}
            placeholder="key"
            autoComplete="off"
            spellCheck={false}
            value={item.key}
            onChange={(event) => onChange({ ...item, key: event.target.value })}
          />
        )}
        <ScalarInput
          {...validity}
          id={id}
          aria-label={field.kind === "map" ? `${label}, value` : label}
          scalar={field.scalar}
          text={item.text}
          onChange={(text) => onChange({ ...item, text })}
        />
        <button type="button" className="small" aria-label={`Remove ${label}`} onClick={onRemove}>
          Remove
        </button>
      </div>
      <Problem id={`${id}-problem`} text={problem} />
    </>
  );
}
