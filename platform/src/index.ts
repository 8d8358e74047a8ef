export { backUp, restoreBackup } from "@microts/driver-embedded";
export { type Platform, startPlatform } from "./platform.ts";
export { parseSettings, type Settings, secretSettings } from "./settings.ts";
