import { bytesOfKey, type StoreMatch, type StoreQuery } from "@microts/blocks/store";
import type { SqlValue, Statement } from "./sqlite/index.ts";
import { type Content, contentColumns, keyColumn, paramOfKey, rawFlag } from "./store-rows.ts";

/** The statements of the store. A table is known by its number, a time is that of the store's clock. */

const blob = "CAST(? AS BLOB)";
const isLive = "(r.expires_at IS NULL OR r.expires_at > ?)";
const current = `SELECT r.revision FROM records r WHERE r.table_id = ? AND r.key = ${blob}`;

export const readSql = `SELECT ${contentColumns("v")} FROM records r LEFT JOIN versions v ON v.revision = r.revision
  WHERE r.table_id = ? AND r.key = ${blob} AND ${isLive}`;

/** The largest value that is read along with those of other keys. */
const maxSharedBytes = 32 * 1024;

/**
 * What of the keys in a JSON list is there: where in the list, what `readSql` tells besides the value, and the size of that, as JSON; then all values as one.
 * A row for each would cost twice as much, most of it for making its values. One that is large, or isn't what it should be, is left out, its size null.
 */
export const readManySql = `SELECT json_group_array(json_array(at, revision, checksum, expires_at, metadata, length(shared))),
    CAST(group_concat(shared, '') AS BLOB)
  FROM (SELECT j.key AS at, v.revision, v.checksum, v.expires_at, v.metadata,
      iif(typeof(v.value) = 'blob' AND length(v.value) <= ${maxSharedBytes}, v.value, NULL) AS shared
    FROM json_each(?) j CROSS JOIN records r ON r.table_id = ? AND r.key = CAST(j.value AS BLOB)
    LEFT JOIN versions v ON v.revision = r.revision WHERE ${isLive})`;

const putSql = `INSERT INTO versions (table_id, key, is_raw, previous, expires_at, checksum, metadata, value) VALUES
  (?1, CAST(?2 AS BLOB), ?3, (SELECT r.revision FROM records r WHERE r.table_id = ?1 AND r.key = CAST(?2 AS BLOB)), ?4, ?5, ?6, ?7)`;
/** Makes a record of each version of a range of revisions. */
const pointSql = `INSERT INTO records (table_id, key, is_raw, revision, expires_at)
  SELECT table_id, key, is_raw, revision, expires_at FROM versions WHERE revision BETWEEN ?1 AND ?2
  ON CONFLICT DO UPDATE SET revision = excluded.revision, expires_at = excluded.expires_at`;
const pointLastSql = pointSql.replace("BETWEEN ?1 AND ?2", "= last_insert_rowid()");
const endSql = `INSERT INTO versions (table_id, key, is_raw, previous) SELECT r.table_id, r.key, r.is_raw, r.revision FROM records r
  WHERE r.table_id = ? AND r.key = ${blob} RETURNING revision`;
const removeSql = `DELETE FROM records WHERE table_id = ? AND key = ${blob}`;
const conditionSql = `SELECT 1 WHERE coalesce((${current} AND ${isLive}), 0) = ?`;

/** The version that was just inserted is that of its record. */
const pointLast: Statement = { sql: pointLastSql, params: [] };

/**
 * The first of the statements yields the revision. `isAlone`: no other change of the key is on its way. Then its record may be made with those of other
 * keys, at half the cost; a version learns of the one before it from the record.
 */
export function putStatements(
  tableId: number,
  key: string,
  content: Content,
  checksum: number,
  isAlone: boolean,
): Statement[] {
  const { value, metadata, expiresAt } = content;
  const params = [tableId, paramOfKey(key), rawFlag(key), expiresAt, checksum, metadata, value];
  if (isAlone) return [{ sql: putSql, params, isInsert: true, endedBy: pointSql }];
  return [{ sql: putSql, params, isInsert: true }, pointLast];
}

/** The first of the statements yields the revision, if there was a record. */
export function deleteStatements(tableId: number, key: string): Statement[] {
  const params = [tableId, paramOfKey(key)];
  return [
    { sql: endSql, params },
    { sql: removeSql, params },
  ];
}

/** The record has to have this revision; 0 means that there has to be none. */
export function condition(tableId: number, key: string, revision: number, now: number): Statement {
  return { sql: conditionSql, params: [tableId, paramOfKey(key), now, revision], isCondition: true };
}

/** Keys, or keys and content, of what matches. */
export function scan(what: "keys" | "records", tableId: number, query: StoreQuery, now: number): Statement {
  const { where, params } = matching(tableId, query, now);
  const order = query.order === "desc" ? "DESC" : "ASC";
  const page = `WHERE ${where} ORDER BY r.key ${order} LIMIT ? OFFSET ?`;
  const sql =
    what === "keys"
      ? `SELECT ${keyColumn("r")} FROM records r ${page}`
      : `SELECT ${keyColumn("r")}, ${contentColumns("v")} FROM (SELECT r.* FROM records r ${page}) r
         LEFT JOIN versions v ON v.revision = r.revision ORDER BY r.key ${order}`;
  return { sql, params: [...params, query.limit === 0 ? -1 : query.limit, query.offset] };
}

export function count(tableId: number, match: StoreMatch, now: number): Statement {
  const { where, params } = matching(tableId, match, now);
  return { sql: `SELECT count(*) FROM records r WHERE ${where}`, params };
}

/** With the time two times, then how many. One after the other they take records off that have expired, and leave the news of it. */
const expired =
  "SELECT r.table_id, r.key, r.is_raw, r.revision, (SELECT v.previous FROM versions v WHERE v.revision = r.revision) AS previous FROM records r WHERE r.expires_at <= ? ORDER BY r.expires_at, r.table_id, r.key LIMIT ?";
const expireSql = [
  `INSERT INTO versions (table_id, key, is_raw, previous) SELECT table_id, key, is_raw, previous FROM (${expired}) RETURNING revision`,
  `DELETE FROM versions WHERE revision IN (SELECT revision FROM (${expired})) AND expires_at <= ?`,
  `DELETE FROM records WHERE (table_id, key) IN (SELECT table_id, key FROM (${expired})) AND expires_at <= ? RETURNING 1`,
] as const;

/** Takes up to so many expired records off the disk. The first of the statements yields the revision, the last a row, for each. */
export function sweepStatements(now: number, limit: number): Statement[] {
  const [tell, ...remove] = expireSql;
  return [{ sql: tell, params: [now, limit] }, ...remove.map((sql) => ({ sql, params: [now, limit, now] }))];
}

/** Up to which revision the past was forgotten, and the newest revision. */
export const revisionSql = "SELECT forgotten, (SELECT coalesce(max(revision), 0) FROM versions) FROM store_history";

/** So many changes are read at once, and about so many bytes of values. */
const newsChanges = 500;
const newsBytes = 8 * 1024 * 1024;

/** What changed after a revision, under keys that begin with `prefix`: key and content, the value null for what is gone. */
export function newsOf(tableId: number, prefix: string, after: number): Statement {
  const { where, params } = beginning("v", prefix);
  const sql = `SELECT ${keyColumn("v")}, ${contentColumns("v")} FROM (
      SELECT revision, sum(size) OVER (ORDER BY revision) - size AS before FROM (
        SELECT v.revision, coalesce(length(v.value), 0) AS size FROM versions v
        WHERE v.revision > ? AND v.table_id = ?${where.map((each) => ` AND ${each}`).join("")} ORDER BY v.revision LIMIT ${newsChanges})
    ) n JOIN versions v ON v.revision = n.revision WHERE n.before < ${newsBytes} ORDER BY n.revision`;
  return { sql, params: [after, tableId, ...params] };
}

/** What must not be: each finds, with words, what is wrong. */
export const storeChecks = [
  `SELECT 'a record is not what its revision ' || r.revision || ' says' FROM records r LEFT JOIN versions v ON v.revision = r.revision
    WHERE v.value IS NULL OR v.table_id <> r.table_id OR v.key <> r.key OR v.expires_at IS NOT r.expires_at`,
  `SELECT 'no record is at revision ' || v.revision || ', which is nowhere superseded' FROM versions v
    LEFT JOIN records r ON r.table_id = v.table_id AND r.key = v.key
    WHERE v.value IS NOT NULL AND r.revision IS NOT v.revision
    AND v.revision NOT IN (SELECT previous FROM versions WHERE previous IS NOT NULL)`,
] as const;

export const databasesSql = "SELECT DISTINCT CAST(database AS TEXT) FROM tables ORDER BY database";
export const tablesSql = `SELECT CAST(name AS TEXT) FROM tables WHERE database = ${blob} ORDER BY name`;

function matching(tableId: number, { prefix, suffix }: StoreMatch, now: number): { where: string; params: SqlValue[] } {
  const begin = beginning("r", prefix);
  const where = ["r.table_id = ?", ...begin.where];
  const params: SqlValue[] = [tableId, ...begin.params];
  if (suffix !== "") {
    where.push(`substr(r.key, ?) = ${blob}`, "length(r.key) >= ?");
    const { byteLength } = bytesOfKey(suffix);
    params.push(-byteLength, paramOfKey(suffix), byteLength);
  }
  where.push(isLive);
  params.push(now);
  return { where: where.join(" AND "), params };
}

/** That the key begins with a prefix. */
function beginning(from: string, prefix: string): { where: string[]; params: SqlValue[] } {
  if (prefix === "") return { where: [], params: [] };
  const end = endOfPrefix(prefix);
  const where = [`${from}.key >= ${blob}`];
  if (end === undefined) return { where, params: [paramOfKey(prefix)] };
  return { where: [...where, `${from}.key < ?`], params: [paramOfKey(prefix), end] };
}

/** The first bytes after all keys that begin with `prefix`; undefined when nothing comes after them. */
function endOfPrefix(prefix: string): Uint8Array | undefined {
  const bytes = bytesOfKey(prefix);
  const last = bytes.findLastIndex((byte) => byte < 0xff);
  if (last < 0) return undefined;
  const end = Uint8Array.from(bytes.subarray(0, last + 1));
  end[last] = (end[last] ?? 0) + 1;
  return end;
}
