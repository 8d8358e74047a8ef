import { type ErrorBody, isErrorBody, type Service, type Session } from "./contract.ts";

/** An answer of the dashboard's server that isn't a success; code 0 when there was no answer at all. */
export class ApiError extends Error {
  readonly body: ErrorBody;

  constructor(body: ErrorBody) {
    super(body.detail);
    this.name = "ApiError";
    this.body = body;
  }
}

/** Who is signed in, or undefined. */
export async function readSession(signal: AbortSignal): Promise<Session | undefined> {
  try {
    return (await (await request("/api/session", { signal })).json()) as Session;
  } catch (error) {
    if (error instanceof ApiError && error.body.code === 401) return undefined;
    throw error;
  }
}

export async function login(id: string, password: string): Promise<Session> {
  return (await (await post("/api/login", JSON.stringify({ id, password }))).json()) as Session;
}

export async function logout(): Promise<void> {
  await post("/api/logout", "{}");
}

/** The JSON text of the list, so that an unchanged list can be told from a changed one. */
export async function readServices(signal: AbortSignal): Promise<string> {
  return await (await request("/api/services", { signal })).text();
}

export function parseServices(text: string): readonly Service[] {
  return (JSON.parse(text) as { services: readonly Service[] }).services;
}

/** Calls an endpoint with a request that is JSON already, so that it goes out digit by digit. */
export function call(service: string, endpoint: string, json: string, signal: AbortSignal): Promise<Response> {
  const names = `"service":${JSON.stringify(service)},"endpoint":${JSON.stringify(endpoint)}`;
  return post("/api/call", `{${names},"request":${json}}`, signal);
}

function post(path: string, body: string, signal?: AbortSignal): Promise<Response> {
  const headers = { "content-type": "application/json" };
  return request(path, { method: "POST", headers, body, ...(signal && { signal }) });
}

async function request(path: string, options: RequestInit): Promise<Response> {
  const response = await fetch(path, { ...options, credentials: "same-origin" }).catch((error: unknown) => {
    if (options.signal?.aborted) throw error;
    throw new ApiError(unreachable);
  });
  if (response.ok) return response;
  const body: unknown = await response.json().catch(() => undefined);
  throw new ApiError(
    isErrorBody(body) ? body : { id: "dashboard", code: response.status, detail: response.statusText, status: "" },
  );
}

const unreachable: ErrorBody = {
  id: "dashboard",
  code: 0,
  detail: "The server can't be reached. Is micro server still running?",
  status: "No answer",
};
