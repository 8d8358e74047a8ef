import type { RuntimeService, ServiceStatus } from "@microts/blocks/runtime";
import type { Deployment } from "./deployment.ts";
import type { ServiceRecord } from "./record.ts";

/** One version of a service as the server holds it. */
export interface ManagedService {
  record: ServiceRecord;
  /** What is being done to it; undefined when nothing is. */
  phase: ServiceStatus | undefined;
  /** What runs; undefined when nothing does. */
  deployment: Deployment | undefined;
}

const shownHash = 7;

/** What `micro status` shows. A deploy that has something running shows that, also while the next is being built. */
export function describeService({ record, phase, deployment }: ManagedService): RuntimeService {
  const status = phase === "stopping" ? phase : (deployment?.status ?? phase ?? "error");
  const error = deployment?.error ?? record.error;
  const started = deployment?.startedAt.toISOString() ?? record.started;
  const restarts = deployment?.restarts ?? 0;
  return {
    name: record.name,
    version: record.version,
    source: record.source,
    status,
    metadata: {
      source: record.source,
      ...record.metadata,
      owner: record.owner,
      group: record.group,
      ...(started !== "" && { started }),
      ...(record.build !== "" && { build: record.build.slice(0, shownHash) }),
      ...(error !== "" && status !== "running" && phase !== "building" && { error }),
      ...(restarts > 0 && { retries: String(restarts) }),
    },
  };
}
