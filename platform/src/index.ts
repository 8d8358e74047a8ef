export { type Platform, startPlatform } from "./platform.ts";
export { parseSettings, type Settings } from "./settings.ts";
