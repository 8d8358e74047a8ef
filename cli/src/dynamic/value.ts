import { resolve } from "node:path";
import { bytesOfBase64 } from "../base64.ts";
import { usageError } from "../failure.ts";
import { isObject, parseExact } from "../json.ts";

/** What reading a value needs to know besides its text. */
export interface Reading {
  /** The flag as the user wrote it, for errors. */
  readonly flag: string;
  /** Files named with `@` begin here. */
  readonly folder: string;
}

const ranges: Readonly<Record<string, readonly [bigint, bigint]>> = {
  int32: [-(2n ** 31n), 2n ** 31n - 1n],
  int64: [-(2n ** 63n), 2n ** 63n - 1n],
  uint32: [0n, 2n ** 32n - 1n],
  uint64: [0n, 2n ** 64n - 1n],
};

const maxFileBytes = 24 * 1024 * 1024;

/** The JSON value that the texts of one flag make for a field of the registry's type `type` (wire §6). Throws a usage error that names the flag, the type and the text. */
export async function readValue(type: string, texts: readonly string[], reading: Reading): Promise<unknown> {
  const [first = ""] = texts;
  if (type !== "[]uint8" && type.startsWith("[]")) return readList(type.slice(2), type, texts, reading);
  const valueType = /^map\[[^\]]*\](.+)$/.exec(type)?.[1];
  if (valueType !== undefined) return readMap(valueType, type, texts, reading);
  if (texts.length > 1)
    throw usageError(`--${reading.flag} was given ${texts.length} times but takes one ${typeName(type)}`);
  return readOne(type, first, reading);
}

async function readOne(type: string, text: string, reading: Reading): Promise<unknown> {
  switch (type) {
    case "string":
      return text;
    case "bool":
      return readBool(text) ?? mismatch(type, text, reading);
    case "int32":
    case "int64":
    case "uint32":
    case "uint64":
      return readInteger(type, text) ?? mismatch(type, text, reading);
    case "float32":
    case "float64":
      return readFloat(text) ?? mismatch(type, text, reading);
    case "[]uint8":
    case "bytes":
      return readBytes(text, reading);
    default:
      return readOther(text);
  }
}

/** Go's ParseBool. */
function readBool(text: string): boolean | undefined {
  if (/^(1|t|T|TRUE|true|True)$/.test(text)) return true;
  return /^(0|f|F|FALSE|false|False)$/.test(text) ? false : undefined;
}

/** Decimal, 0x, 0o or 0b, with `_` between digits. Past 2^53 it becomes text, as 64-bit numbers are written in proto JSON. */
function readInteger(type: string, text: string): number | string | undefined {
  const match = /^([+-]?)((?:0[xX][0-9a-fA-F_]+)|(?:0[oO][0-7_]+)|(?:0[bB][01_]+)|(?:\d[\d_]*))$/.exec(text);
  const [low, high] = ranges[type] ?? [0n, 0n];
  if (match === null) return undefined;
  const digits = (match[2] ?? "").replaceAll("_", "").replace(/^0+(?=\d)/, "");
  if (/^0[xXoObB]$/.test(digits)) return undefined;
  const value = BigInt(digits) * (match[1] === "-" ? -1n : 1n);
  if (value < low || value > high) return undefined;
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : String(value);
}

/** NaN and the infinities become text, as proto JSON has them. */
function readFloat(text: string): number | string | undefined {
  const special = /^([+-]?)(nan|inf|infinity)$/i.exec(text);
  if (special !== null) return special[2]?.toLowerCase() === "nan" ? "NaN" : `${special[1] === "-" ? "-" : ""}Infinity`;
  const value = /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/.test(text) ? Number(text) : Number.NaN;
  return Number.isFinite(value) ? value : undefined;
}

/** Base64, or the content of a file after `@`; base64 in JSON. */
async function readBytes(text: string, { flag, folder }: Reading): Promise<string> {
  if (!text.startsWith("@")) {
    const bytes = bytesOfBase64(text);
    if (bytes !== undefined) return bytes.toString("base64");
    throw usageError(`--${flag} wants bytes: base64, or @file, not "${shorten(text)}"`);
  }
  const path = resolve(folder, text.slice(1));
  const { readFile } = process.getBuiltinModule("node:fs/promises");
  const content = await readFile(path).catch((error: unknown) => {
    throw usageError(`--${flag}: cannot read ${path}: ${(error as Error).message}`);
  });
  if (content.length > maxFileBytes)
    throw usageError(
      `--${flag}: ${path} is larger than ${maxFileBytes / 1024 / 1024} MiB, the most that a request holds`,
    );
  return content.toString("base64");
}

/** A message, an enum or a type that is not known here: JSON where it is JSON, text where not. */
function readOther(text: string): unknown {
  try {
    return parseExact(text);
  } catch {
    return text;
  }
}

async function readList(item: string, type: string, texts: readonly string[], reading: Reading): Promise<unknown[]> {
  const [only = ""] = texts;
  if (texts.length === 1 && only.trimStart().startsWith("[")) {
    const parsed = parseOr(only, () => mismatch(type, only, reading));
    return Array.isArray(parsed) ? parsed : mismatch(type, only, reading);
  }
  const isJson = !isScalar(item);
  const parts = texts.length > 1 || isJson || item === "[]uint8" ? texts : only === "" ? [] : only.split(",");
  return Promise.all(
    parts.map((part) =>
      isJson && /^\s*[{[]/.test(part)
        ? parseOr(part, () => mismatch(type, part, reading))
        : readOne(item, part, reading),
    ),
  );
}

/** A JSON object, or `key=value`, repeated. */
async function readMap(
  valueType: string,
  type: string,
  texts: readonly string[],
  reading: Reading,
): Promise<Record<string, unknown>> {
  const entries: [string, unknown][] = [];
  for (const text of texts) {
    if (text.trimStart().startsWith("{")) {
      const parsed = parseOr(text, () => mismatch(type, text, reading));
      if (!isObject(parsed)) return mismatch(type, text, reading);
      entries.push(...Object.entries(parsed));
    } else {
      const at = text.indexOf("=");
      if (at <= 0) return mismatch(type, text, reading);
      entries.push([text.slice(0, at), await readOne(valueType, text.slice(at + 1), reading)]);
    }
  }
  return Object.fromEntries(entries);
}

function parseOr(text: string, otherwise: () => never): unknown {
  try {
    return parseExact(text);
  } catch {
    return otherwise();
  }
}

function isScalar(type: string): boolean {
  return type in ranges || ["string", "bool", "float32", "float64", "[]uint8", "bytes"].includes(type);
}

function mismatch(type: string, text: string, { flag }: Reading): never {
  const range = ranges[type];
  const wanted = range === undefined ? typeName(type) : `${type} (${range[0]} to ${range[1]})`;
  throw usageError(`--${flag} wants ${wanted}, not "${shorten(text)}"${example(type)}`);
}

function example(type: string): string {
  if (type === "bool") return ": write true or false";
  if (type.startsWith("map[")) return `: write key=value or a JSON object`;
  return type.startsWith("[]") ? ": write values with commas between them, or a JSON array" : "";
}

/** How a type is named to people. */
export function typeName(type: string): string {
  return type === "[]uint8" ? "bytes" : type;
}

function shorten(text: string): string {
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}
