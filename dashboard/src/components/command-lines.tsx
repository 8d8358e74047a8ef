import { useState } from "react";
import type { Endpoint } from "../api/contract.ts";
import { curlLine, microLine } from "../call/command-lines.ts";
import type { Json } from "../json-text.ts";

interface Props {
  readonly service: string;
  readonly endpoint: Endpoint;
  readonly namespace: string;
  readonly json: Json;
  readonly text: string;
}

/** The same call from a terminal. */
export function CommandLines({ service, endpoint: { name, stream }, namespace, json, text }: Props) {
  return (
    <details className="commands">
      <summary>From a terminal</summary>
      <CopyLine label="Copy as micro command" line={microLine(service, name, json, stream)} />
      <CopyLine label="Copy as curl" line={curlLine(service, name, text, namespace, stream)} />
    </details>
  );
}

function CopyLine({ label, line }: { readonly label: string; readonly line: string }) {
  const [copied, setCopied] = useState<string>();
  async function copy() {
    // Browsers give no clipboard to pages over plain HTTP from another machine; the line can still be selected.
    await navigator.clipboard?.writeText(line);
    setCopied(line);
  }
  return (
    <div className="command">
      <code>{line}</code>
      <button type="button" className="small" onClick={() => void copy()}>
        {copied === line ? "Copied" : label}
      </button>
    </div>
  );
}
