/** The words of `micro status`; their order is the number on the wire. */
export const serviceStatuses = ["unknown", "pending", "building", "starting", "running", "stopping", "stopped", "error"] as const;
export type ServiceStatus = (typeof serviceStatuses)[number];

export interface RuntimeService {
  readonly name: string;
  readonly version: string;
  /** A blob key `source://name:version`. */
  readonly source: string;
  /** source (as given by the user), owner, group, started (RFC 3339), error, build. */
  readonly metadata: Readonly<Record<string, string>>;
  readonly status: ServiceStatus;
}

export interface CreateOptions {
  /** Added to the service's environment. */
  readonly env: Readonly<Record<string, string>>;
  /** Folder or file inside the source where the service begins; "" for its root. */
  readonly entrypoint: string;
  readonly command: readonly string[];
  readonly args: readonly string[];
  readonly instances: number;
  /** Replace a service that is there instead of refusing. */
  readonly force: boolean;
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
  readonly message: string;
}

export interface LogQuery {
  readonly service: string;
  readonly version: string;
  /** The last so many lines first; 0 for all that is kept. */
  readonly count: number;
  /** Only lines from then on; undefined for all. */
  readonly since: Date | undefined;
  /** Go on with lines as they are written, until the signal aborts. */
  readonly follow: boolean;
}

/** What a backend must do to bring source to running. `Runtime` has already validated every argument. */
export interface RuntimeDriver extends AsyncDisposable {
  readonly name: string;

  /**
   * Builds and starts the service; resolves once it has registered and answers. Throws 409 when it is there already (without `force`), 400 with the
   * compiler's or the process's own words when it doesn't build, exits, or doesn't register in time: nothing keeps running then, and `read` shows
   * status error with the reason.
   */
  create(namespace: string, service: RuntimeService, options: CreateOptions, owner: Owner, signal: AbortSignal): Promise<void>;

  /** Services of the namespace, by name then version; name and version "" match all. */
  read(namespace: string, name: string, version: string, signal: AbortSignal): Promise<RuntimeService[]>;

  /** Starts the new source beside the old, moves callers over when it answers, then stops the old. When it fails the old stays and this throws as `create`. 404 when there is none. */
  update(namespace: string, service: RuntimeService, options: Pick<CreateOptions, "entrypoint" | "instances">, signal: AbortSignal): Promise<void>;

  /** Stops the process and everything it started, and forgets the service. 404 when there is none. */
  delete(namespace: string, name: string, version: string, signal: AbortSignal): Promise<void>;

  /** 404 when the service is unknown. */
  logs(namespace: string, query: LogQuery, signal: AbortSignal): Promise<AsyncIterable<LogLine>>;
}
