import { visibleLine } from "./visible.ts";

const tabWidth = 8;

/** Columns aligned with tabs at stops of eight, as Go's text/tabwriter sets them. `gap` empty columns stand between two. Ends with a newline. */
export function tabTable(cells: readonly (readonly string[])[], gap = 0): string {
  const rows = linesOf(cells);
  const stops = columnWidths(rows).map((width) => Math.ceil((width + 1) / tabWidth) * tabWidth);
  return rows
    .map((row) =>
      row.map((cell, index) => (index === row.length - 1 ? cell : pad(cell, stops[index] ?? 0, gap))).join(""),
    )
    .map((line) => `${line}\n`)
    .join("");
}

/** Columns padded with spaces, two between them. Lines have no spaces at their end. Ends with a newline. */
export function spaceTable(cells: readonly (readonly string[])[], indent = ""): string {
  const rows = linesOf(cells);
  const widths = columnWidths(rows);
  return rows
    .map((row) =>
      row.map((cell, index) => cell + " ".repeat(Math.max(0, (widths[index] ?? 0) - length(cell)))).join("  "),
    )
    .map((line) => `${(indent + line).trimEnd()}\n`)
    .join("");
}

/** Whatever is in a cell, a row is one line. */
function linesOf(cells: readonly (readonly string[])[]): string[][] {
  return cells.map((row) => row.map(visibleLine));
}

function columnWidths(rows: readonly (readonly string[])[]): number[] {
  const widths: number[] = [];
  for (const row of rows) {
    for (const [index, cell] of row.entries()) widths[index] = Math.max(widths[index] ?? 0, length(cell));
  }
  return widths;
}

function pad(cell: string, stop: number, gap: number): string {
  return cell + "\t".repeat(Math.ceil((stop - length(cell)) / tabWidth) + gap);
}

/** In characters, as terminals show them, rather than UTF-16 units. */
function length(text: string): number {
  return [...text].length;
}
