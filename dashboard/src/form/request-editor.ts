import { type Json, parseJson } from "../json-text.ts";
import type { DraftFields } from "./draft.ts";
import type { Field } from "./field.ts";
import { formOf } from "./from-json.ts";
import { type Problems, requestOf } from "./to-json.ts";

/** A request while it is being edited, as a form or as JSON text. */
export interface Editor {
  readonly isJson: boolean;
  readonly drafts: DraftFields;
  readonly text: string;
  /** Why the last switch to the form didn't happen. */
  readonly refusal?: string;
}

export const emptyEditor: Editor = { isJson: false, drafts: {}, text: "" };

/** The path under which a problem of the JSON text itself is reported. */
export const jsonPath = "";

/** The request that would be sent, as a value and as text, and what is wrong with it. Without fields there is only JSON. */
export function requestIn(editor: Editor, fields: readonly Field[] | undefined) {
  return fields === undefined || editor.isJson ? requestInText(editor.text) : requestInForm(fields, editor.drafts);
}

/** The same request edited the other way; with a refusal when the form can't show all of it. */
export function switched(editor: Editor, fields: readonly Field[] | undefined): Editor {
  if (fields === undefined) return editor;
  const { drafts, text } = editor;
  if (!editor.isJson) {
    return { isJson: true, drafts, text: JSON.stringify(requestOf(fields, drafts).json, undefined, 2) };
  }
  const { json, problems } = requestInText(text);
  if (problems.size > 0) return { ...editor, refusal: `The JSON ${problems.get(jsonPath)}.` };
  const shown = formOf(fields, json);
  if ("drafts" in shown) return { isJson: false, drafts: shown.drafts, text };
  return { ...editor, refusal: `The form can't show ${shown.lost}.` };
}

function requestInForm(fields: readonly Field[], drafts: DraftFields) {
  const { json, problems } = requestOf(fields, drafts);
  return { json: json as Json, text: JSON.stringify(json), problems };
}

function requestInText(text: string): { json: Json; text: string; problems: Problems } {
  if (text.trim() === "") return { json: {}, text: "{}", problems: new Map() };
  try {
    const json = parseJson(text);
    return { json, text: JSON.stringify(json), problems: new Map() };
  } catch (error) {
    const problem = `isn't valid: ${(error as Error).message}`;
    return { json: {}, text: "{}", problems: new Map([[jsonPath, problem]]) };
  }
}
