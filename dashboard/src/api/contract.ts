/** A node of the registry's schema tree: a scalar, `[]T`, `map[K]V`, or a message whose fields are `values`. */
export interface Value {
  readonly name: string;
  readonly type: string;
  readonly values: readonly Value[];
}

export interface Endpoint {
  /** `Handler.Method`. */
  readonly name: string;
  readonly stream: boolean;
  readonly description?: string;
  readonly request: Value | null;
  readonly response: Value | null;
  readonly metadata: Readonly<Record<string, string>>;
}

export interface ServiceNode {
  readonly id: string;
  readonly address: string;
  readonly metadata: Readonly<Record<string, string>>;
}

/** One version of a service. */
export interface Service {
  readonly name: string;
  readonly version: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly nodes: readonly ServiceNode[];
  readonly endpoints: readonly Endpoint[];
}

export interface Session {
  readonly account: {
    readonly id: string;
    readonly name: string;
    readonly type: string;
    readonly scopes: readonly string[];
  };
  readonly namespace: string;
}

/** Micro's error, in every answer that isn't a success. */
export interface ErrorBody {
  readonly id: string;
  readonly code: number;
  readonly detail: string;
  readonly status: string;
}

/** Whether it has the four fields of an error and no others. */
export function isErrorBody(body: unknown): body is ErrorBody {
  if (typeof body !== "object" || body === null) return false;
  const { id, code, detail, status, ...rest } = body as Record<string, unknown>;
  const isComplete = [id, detail, status].every((field) => typeof field === "string") && typeof code === "number";
  return isComplete && Object.keys(rest).length === 0;
}
