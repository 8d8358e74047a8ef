/** What names are made of that mean something to a file system, a shell, a database, a URL, a terminal or JavaScript. */
const parts = [
  "..",
  "../",
  "../../etc/passwd",
  "/etc/passwd",
  "./",
  "~",
  "\u0000",
  "%2e%2e%2f",
  "%00",
  "\\..\\",
  "C:\\x",
  "CON",
  "__proto__",
  "constructor",
  "toString",
  "'; DROP TABLE records; --",
  '"',
  "`id`",
  "$(id)",
  "|",
  "\n",
  "\r\n",
  "\u001b[2J",
  "\u202e",
  "\ufeff",
  "\ufffd",
  "*",
  "?",
  "%",
  "_",
  " ",
  ".",
  "-rf",
  "{}",
  "[object Object]",
  "null",
  "ключ",
  "💾",
  "é",
  "e\u0301",
  "blobs",
  "micro.db",
  "@platform",
  "x".repeat(255),
  "x".repeat(256),
  "x".repeat(4096),
  "x".repeat(4097),
] as const;

/** Each part, then pairs of them, up to so many names. All differ. */
export function nastyNames(count: number): string[] {
  const names = new Set<string>(["", ...parts]);
  for (let distance = 0; names.size < count && distance < parts.length; distance++)
    for (const [at, part] of parts.entries()) names.add(`${part}${parts[(at + distance) % parts.length]}`);
  return [...names].slice(0, count);
}
