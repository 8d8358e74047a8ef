export type {
  DashboardAccount,
  DashboardBackend,
  DashboardCall,
  DashboardEndpoint,
  DashboardNode,
  DashboardService,
  DashboardSession,
  DashboardValue,
} from "./backend.ts";
export { DashboardServer, type DashboardServerOptions } from "./dashboard-server.ts";
export type { SessionLimits } from "./sessions.ts";
