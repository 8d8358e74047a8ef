export { Health } from "./health.ts";
export { type StandardServices, standardServices } from "./standard.ts";
