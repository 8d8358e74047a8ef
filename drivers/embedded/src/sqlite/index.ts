export { type DatabaseOptions, EmbeddedDatabase } from "./database.ts";
export { lockDataDirectory } from "./lock.ts";
export type { Row, SqlValue, Statement } from "./protocol.ts";
