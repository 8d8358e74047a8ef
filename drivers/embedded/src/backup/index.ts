export { type BackupOptions, backUp } from "./backup.ts";
export type { Manifest } from "./manifest.ts";
export { type Restored, type RestoreOptions, restoreBackup } from "./restore.ts";
