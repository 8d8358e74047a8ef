import type { Endpoint, Value } from "../api/contract.ts";

/** What the endpoint takes and gives, as registered. */
export function Schema({ endpoint: { request, response } }: { readonly endpoint: Endpoint }) {
  if (request === null && response === null) return null;
  return (
    <details className="schemas">
      <summary>Schema</summary>
      <div className="schema-columns">
        <SchemaColumn title="Request" value={request} />
        <SchemaColumn title="Response" value={response} />
      </div>
    </details>
  );
}

function SchemaColumn({ title, value }: { readonly title: string; readonly value: Value | null }) {
  return (
    <div>
      <h4>{title}</h4>
      {value === null ? (
        <p className="hint">not registered</p>
      ) : (
        <pre>{schemaText(value.values, "") || "no fields"}</pre>
      )}
    </div>
  );
}

function schemaText(values: readonly Value[], indent: string): string {
  return values
    .map(({ name, type, values: inner }) => `${indent}${name}  ${type}\n${schemaText(inner, `${indent}  `)}`)
    .join("");
}
