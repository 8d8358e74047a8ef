import { type CallHandler, type CallStart, type Connections, StatusError } from "@microts/core/rpc";

/** Answers with the message that came; with a name that says nothing, for tests that are about connections. */
export const echo: CallHandler = async (call) => {
  const message = await call.read();
  await call.send(message ?? Buffer.alloc(0));
};

export interface RawCall extends Partial<CallStart> {
  readonly message?: string;
  readonly signal?: AbortSignal;
  readonly timeoutMs?: number;
}

/** A unary call of a text, straight through the connections; rejects with a StatusError. */
export async function callText(
  connections: Connections,
  address: string,
  { message = "hello", signal, timeoutMs = 20_000, ...start }: RawCall = {},
): Promise<string> {
  const whole = {
    path: "/test.Test/Echo",
    contentType: "application/grpc",
    metadata: {},
    deadline: new Date(Date.now() + timeoutMs),
    ...start,
  };
  const reply = await connections.unary(address, whole, Buffer.from(message), signal, (status) => {
    return new StatusError(status);
  });
  return Buffer.from(reply).toString();
}

/** A `node:assert` expectation: ends with this gRPC status, whose message matches. */
export function status(code: number, message = /(?:)/): (error: unknown) => boolean {
  return (error) => {
    if (!(error instanceof StatusError)) throw error;
    if (error.status.code !== code || !message.test(error.status.message))
      throw new Error(`expected status ${code} with ${message}, got ${JSON.stringify(error.status)}`);
    return true;
  };
}
