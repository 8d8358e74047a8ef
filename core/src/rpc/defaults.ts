import type { KeepaliveOptions } from "./http2/keepalive.ts";

/** 32 MiB, as in the original (wire §2.2). */
export const defaultMaxMessageBytes = 32 * 1024 * 1024;

/** Of `listen`, beside `defaultLimits`. */
export const listenDefaults = {
  maxMessageBytes: defaultMaxMessageBytes,
  maxConnections: 10_000,
  socketMode: 0o600,
};

export const serverKeepalive: KeepaliveOptions = {
  afterMs: 60_000,
  timeoutMs: 20_000,
  withoutCalls: true,
  minIntervalMs: 10_000,
};

/** Of `Connections`, beside `defaultLimits`. */
export const connectionsDefaults = {
  maxMessageBytes: defaultMaxMessageBytes,
  maxConnectionsPerNode: 8,
  connectTimeoutMs: 5000,
  idleMs: 300_000,
};

export const clientKeepalive: KeepaliveOptions = {
  afterMs: 300_000,
  timeoutMs: 20_000,
  withoutCalls: false,
  minIntervalMs: 0,
};

/** The first wait after a connection failed, and the longest (gRPC connection-backoff.md has 1 s and 120 s). */
export const backoffDefaults = { backoffMs: 50, maxBackoffMs: 10_000 };
