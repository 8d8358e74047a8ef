export { type DatabaseOptions, EmbeddedDatabase } from "./database.ts";
export { lockDataDirectory } from "./lock.ts";
export { damageOfLog } from "./log-file.ts";
export type { Job, Row, SqlValue, Statement } from "./protocol.ts";
