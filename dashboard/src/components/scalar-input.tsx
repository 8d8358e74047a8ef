import type { ScalarType } from "../form/field.ts";

interface Props {
  readonly id: string;
  readonly scalar: ScalarType;
  readonly text: string;
  readonly onChange: (text: string) => void;
  /** For an input without a label element. */
  readonly "aria-label"?: string;
  readonly "aria-invalid": boolean;
  readonly "aria-describedby": string;
}

/** One value as text. A bool has three states, because leaving it out isn't the same as false. */
export function ScalarInput({ scalar, text, onChange, ...rest }: Props) {
  if (scalar === "bool") {
    return (
      <select {...rest} value={text} onChange={(event) => onChange(event.target.value)}>
        <option value="">not set</option>
        <option value="true">true</option>
        <option value="false">false</option>
      </select>
    );
  }
  const isNumber = scalar !== "string" && scalar !== "bytes";
  return (
    <input
      {...rest}
      type="text"
      className={isNumber ? "number" : undefined}
      inputMode={isNumber ? "text" : undefined}
      placeholder={scalar === "bytes" ? "base64" : undefined}
      autoComplete="off"
      spellCheck={false}
      value={text}
      onChange={(event) => onChange(event.target.value)}
    />
  );
}
