/** The words of `micro status`; their order is the number on the wire. */
export const serviceStatuses = [
  "unknown",
  "pending",
  "building",
  "starting",
  "running",
  "stopping",
  "stopped",
  "error",
] as const;
export type ServiceStatus = (typeof serviceStatuses)[number];

export interface RuntimeService {
  readonly name: string;
  readonly version: string;
  /** The key of an uploaded source, `source://name:version`; anything else where a driver can fetch it. */
  readonly source: string;
  /** source (as given by the user), owner, group, started (RFC 3339), error, build (begin of the program's hash), retries. */
  readonly metadata: Readonly<Record<string, string>>;
  readonly status: ServiceStatus;
}

/** What to run: status is the driver's. */
export type ServiceSource = Omit<RuntimeService, "status">;

export interface CreateOptions {
  /** Added to the service's environment. */
  readonly env: Readonly<Record<string, string>>;
  /** Folder or file inside the source where the service begins; "" for its root. */
  readonly entrypoint: string;
  /** Instead of what the driver would run; empty for that. */
  readonly command: readonly string[];
  readonly args: readonly string[];
  /** How many processes, from 1. */
  readonly instances: number;
  /** Replace a service that is there instead of refusing. */
  readonly force: boolean;
}

export interface UpdateOptions {
  /** As in `CreateOptions`: "" is the root of the new source. */
  readonly entrypoint: string;
  /** 0 leaves it as it is. */
  readonly instances: number;
}

/** `created by`: who asked, shown as owner and group. */
export interface Owner {
  readonly name: string;
  readonly group: string;
}

export interface LogLine {
  readonly timestamp: Date;
  /** `stream`: stdout, stderr or runtime; `version`. */
  readonly metadata: Readonly<Record<string, string>>;
  /** As the service wrote it, control characters and all; whoever prints it escapes them. */
  readonly message: string;
}

export interface LogQuery {
  readonly service: string;
  /** "" for the only version there is, or `latest` of several. */
  readonly version: string;
  /** The last so many lines first; 0 for all that is kept. */
  readonly count: number;
  /** Only lines from then on; undefined for all. */
  readonly since: Date | undefined;
  /** Go on with lines as they are written, until the signal aborts or the service is deleted. */
  readonly follow: boolean;
}

/** What a backend must do to bring source to running. `Runtime` has already validated every argument. */
export interface RuntimeDriver extends AsyncDisposable {
  readonly name: string;

  /** Keeps a source, an uncompressed tar, and returns its key `source://name:version`. One that was there is replaced, all at once; a stream that throws or a signal that aborts leaves it. */
  upload(
    namespace: string,
    name: string,
    version: string,
    chunks: AsyncIterable<Uint8Array>,
    signal: AbortSignal,
  ): Promise<string>;

  /** The program that was made of the source last, or undefined when there is none. */
  build(
    namespace: string,
    name: string,
    version: string,
    signal: AbortSignal,
  ): Promise<AsyncIterable<Uint8Array> | undefined>;

  /**
   * Builds and starts the service; resolves once it has registered and answers. Throws 409 when it is there already (without `force`), 400 with the
   * compiler's or the process's own words when it doesn't build, exits, or doesn't register in time: nothing keeps running then, and `read` shows
   * status error with the reason. A service whose first start has failed counts as not there. Throws 501 for a source or command it can't run. When the
   * signal aborts the start is given up.
   */
  create(
    namespace: string,
    service: ServiceSource,
    options: CreateOptions,
    owner: Owner,
    signal: AbortSignal,
  ): Promise<void>;

  /** Services of the namespace, by name then version; name and version "" match all. */
  read(namespace: string, name: string, version: string, signal: AbortSignal): Promise<RuntimeService[]>;

  /** Starts the new source beside the old, moves callers over when it answers, then stops the old. When it fails the old stays and this throws as `create`. 404 when there is none. */
  update(namespace: string, service: ServiceSource, options: UpdateOptions, signal: AbortSignal): Promise<void>;

  /** Stops the process and everything it started, and forgets the service, its source and its logs. A create or update that is under way is given up. 404 when there is none. */
  delete(namespace: string, name: string, version: string, signal: AbortSignal): Promise<void>;

  /** Lines in the order they were written. 404 when the service is unknown. */
  logs(namespace: string, query: LogQuery, signal: AbortSignal): Promise<AsyncIterable<LogLine>>;
}
