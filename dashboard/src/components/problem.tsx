/** What is wrong with the input that names this id as its description; nothing when nothing is. */
export function Problem({ id, text }: { readonly id: string; readonly text: string | undefined }) {
  return text === undefined ? null : (
    <p id={id} className="problem">
      {text}
    </p>
  );
}
