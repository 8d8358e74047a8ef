import { setTimeout as delay } from "node:timers/promises";
import { MicroError } from "@microts/core";
import type {
  DashboardBackend,
  DashboardEndpoint,
  DashboardService,
  DashboardSession,
  DashboardValue,
} from "../../platform/src/dashboard/backend.ts";

/** A schema without the typing. */
export function schema(name: string, type: string, values: readonly DashboardValue[] = []): DashboardValue {
  return { name, type, values };
}

function endpoint(name: string, request: DashboardValue | null, response: DashboardValue | null): DashboardEndpoint {
  return { name, stream: false, request, response, metadata: {} };
}

const person = schema("CallRequest", "CallRequest", [
  schema("name", "string"),
  schema("age", "int32"),
  schema("account", "int64"),
  schema("active", "bool"),
  schema("tags", "[]string"),
  schema("scores", "map[string]float64"),
  schema("picture", "[]uint8"),
  schema("address", "Address", [schema("street", "string"), schema("geo", "Geo", [schema("lat", "float64")])]),
  schema("friends", "[]Person"),
]);

/** Every kind of field, an endpoint that fails, and one without schema. */
export const helloworld: DashboardService = {
  name: "helloworld",
  version: "latest",
  metadata: {},
  nodes: [
    { id: "helloworld-8f3a", address: "127.0.0.1:41001", metadata: { protocol: "grpc", transport: "grpc" } },
    { id: "helloworld-11c2", address: "127.0.0.1:41002", metadata: { protocol: "grpc", transport: "grpc" } },
  ],
  endpoints: [
    {
      ...endpoint("Helloworld.Call", person, schema("CallResponse", "CallResponse", [schema("msg", "string")])),
      description: "Greets somebody by name.",
    },
    endpoint("Helloworld.Fail", schema("FailRequest", "FailRequest", [schema("name", "string")]), null),
    endpoint("Helloworld.Raw", null, null),
  ],
};

/** A stream that never ends by itself. */
export const clock: DashboardService = {
  name: "clock",
  version: "v2",
  metadata: {},
  nodes: [{ id: "clock-1", address: "127.0.0.1:41003", metadata: {} }],
  endpoints: [
    {
      ...endpoint("Clock.Stream", schema("StreamRequest", "StreamRequest", [schema("everyMs", "int32")]), null),
      stream: true,
    },
  ],
};

/** A platform for the page: services that a test sets, calls that answer with their request. Jane's password is `correct horse`. */
export class DemoPlatform implements DashboardBackend {
  running: readonly DashboardService[] = [helloworld, clock];
  isRevoked = false;
  readonly requests: unknown[] = [];
  /** The streams that have been cancelled. */
  readonly stopped: string[] = [];

  async login(id: string, password: string): Promise<DashboardSession> {
    if (id !== "jane" || password !== "correct horse") {
      throw MicroError.unauthorized("auth.Auth.Token", "the account or the password is wrong");
    }
    this.isRevoked = false;
    return { token: "t", namespace: "acme", account: { id: "jane", name: "Jane", type: "user", scopes: ["admin"] } };
  }

  async services(): Promise<readonly DashboardService[]> {
    if (this.isRevoked) throw MicroError.unauthorized("auth", "revoked");
    return this.running;
  }

  async call(_: DashboardSession, service: string, name: string, request: Uint8Array, signal: AbortSignal) {
    this.requests.push(JSON.parse(Buffer.from(request).toString()));
    return { stream: name === "Clock.Stream", replies: this.#replies(service, name, request, signal) };
  }

  async *#replies(
    service: string,
    name: string,
    request: Uint8Array,
    signal: AbortSignal,
  ): AsyncGenerator<Uint8Array, void, void> {
    // What a hostile service says in its errors.
    if (service !== "helloworld" && service !== "clock") throw new MicroError(500, service, name);
    if (name === "Helloworld.Fail") throw MicroError.notFound("helloworld", "nobody of that name is known here");
    if (name !== "Clock.Stream") return yield request;
    for (let tick = 1; !signal.aborted; tick++) {
      yield Buffer.from(JSON.stringify({ tick, at: "2026-01-31T12:00:00Z" }));
      await delay(20, undefined, { signal }).catch(() => {});
    }
    this.stopped.push(name);
  }
}
