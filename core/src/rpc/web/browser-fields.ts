/** Fields that browsers add to every request of a page: they are about the browser, and none of a service's business. */
const browserFields = new Set([
  "accept",
  "cache-control",
  // What other servers of the same host have set; ports don't keep cookies apart (RFC 6265 §8.5).
  "cookie",
  "dnt",
  "pragma",
  "priority",
  "upgrade-insecure-requests",
  "x-grpc-web",
]);

/** The request's fields without those, from `from` on. */
export function withoutBrowserFields(fields: readonly string[], from: number): string[] {
  const kept = fields.slice(0, from);
  for (let at = from; at < fields.length; at += 2) {
    const name = fields[at] as string;
    if (!browserFields.has(name) && !name.startsWith("sec-")) kept.push(name, fields[at + 1] as string);
  }
  return kept;
}
