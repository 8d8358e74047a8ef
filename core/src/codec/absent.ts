import type { DescField, DescMessage, JsonObject, JsonValue, Message } from "@bufbuild/protobuf";

/** What one field needs: `null` when absent, and the same for what is inside. */
type Step = (message: Fields, json: JsonObject) => void;
type Fields = Readonly<Record<string, unknown>>;

const compiled = new WeakMap<DescMessage, Step[]>();

/** Adds `null` for each absent message to the JSON of a message, at every depth, as Micro's JSON has it. Members of a oneof and optional fields stay out. */
export function nullAbsentMessages(schema: DescMessage, message: Message, json: JsonValue): void {
  if (!isPlain(schema)) return;
  run(stepsOf(schema), message, json);
}

function run(steps: readonly Step[], message: unknown, json: JsonValue | undefined): void {
  for (const step of steps) step(message as Fields, json as JsonObject);
}

function stepsOf(schema: DescMessage): Step[] {
  const known = compiled.get(schema);
  if (known) return known;
  const steps: Step[] = [];
  // Known before it is complete: a message may contain its own kind.
  compiled.set(schema, steps);
  for (const field of schema.fields) {
    const step = stepOf(field);
    if (step) steps.push(step);
  }
  return steps;
}

function stepOf(field: DescField): Step | undefined {
  if (!field.message) return undefined;
  const inner = isPlain(field.message) ? stepsOf(field.message) : [];
  switch (field.fieldKind) {
    case "message":
      return field.oneof ? oneofStep(field, inner) : messageStep(field, inner);
    case "list":
      return listStep(field, inner);
    case "map":
      return mapStep(field, inner);
    default:
      return undefined;
  }
}

function messageStep({ name, localName, proto }: DescField, inner: readonly Step[]): Step {
  return (message, json) => {
    const child = message[localName];
    if (child !== undefined) run(inner, child, json[name]);
    else if (!proto.proto3Optional) json[name] = null;
  };
}

function oneofStep({ name, localName, oneof }: DescField, inner: readonly Step[]): Step {
  const group = oneof?.localName ?? "";
  return (message, json) => {
    const chosen = message[group] as { case?: string; value?: unknown };
    if (chosen.case === localName) run(inner, chosen.value, json[name]);
  };
}

function listStep({ name, localName }: DescField, inner: readonly Step[]): Step {
  return (message, json) => {
    if (inner.length === 0) return;
    const items = json[name] as JsonValue[];
    for (const [index, child] of (message[localName] as unknown[]).entries()) run(inner, child, items[index]);
  };
}

function mapStep({ name, localName }: DescField, inner: readonly Step[]): Step {
  return (message, json) => {
    if (inner.length === 0) return;
    const values = json[name] as JsonObject;
    for (const [key, child] of Object.entries(message[localName] as Fields)) run(inner, child, values[key]);
  };
}

/** Whether its JSON is an object of its fields: protobuf's own types have forms of their own. */
function isPlain(schema: DescMessage): boolean {
  return !schema.typeName.startsWith("google.protobuf.");
}
