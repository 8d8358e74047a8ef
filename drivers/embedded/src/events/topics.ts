import type { TopicInfo } from "@microts/blocks/events";
import type { EmbeddedDatabase } from "../sqlite/index.ts";

const listSql = `SELECT CAST(name AS TEXT), first_offset, next_offset, bytes, settings FROM topics
  WHERE namespace = CAST(? AS BLOB) ORDER BY name`;
const unusedSql = `SELECT CAST(namespace AS TEXT), CAST(name AS TEXT) FROM topics WHERE next_offset = 0 AND settings IS NULL
  AND namespace <> CAST('' AS BLOB)`;

/** Topics without an event and a limit, in all namespaces. */
export async function unusedTopics(database: EmbeddedDatabase): Promise<[namespace: string, topic: string][]> {
  const rows = await database.read(unusedSql, [], new AbortController().signal);
  return rows.map(([namespace, topic]) => [String(namespace), String(topic)]);
}

/** The topics of a namespace by the bytes of their names. */
export async function listTopics(
  database: EmbeddedDatabase,
  namespace: string,
  signal: AbortSignal,
): Promise<TopicInfo[]> {
  const rows = await database.read(listSql, [namespace], signal);
  return rows.map(([topic, first, end, bytes, settings]) => ({
    topic: String(topic),
    first: Number(first),
    end: Number(end),
    bytes: Number(bytes),
    settings: typeof settings === "string" ? JSON.parse(settings) : {},
  }));
}
