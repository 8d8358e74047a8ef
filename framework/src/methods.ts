import { type Log, MicroError } from "@microts/core";
import type { CallContext, Method } from "@microts/core/rpc";
import { currentCall } from "./connection.ts";
import type { Context, Endpoint } from "./endpoint.ts";
import { decodeShape, encodeShape } from "./schema/protobuf.ts";
import { type Schema, shapeOfSchema, validate } from "./schema/schema.ts";
import type { MessageShape } from "./schema/shape.ts";

/** Deeper requests are refused before anything looks at them. */
const maxDepth = 100;

/** An endpoint ready to serve, with the shapes that the registry publishes. */
export interface BoundEndpoint {
  readonly method: Method;
  readonly request: MessageShape | undefined;
  readonly response: MessageShape | undefined;
  readonly description: string | undefined;
}

/** Binds an endpoint to its name: validation, both encodings, the handler's context. */
export function bindEndpoint(name: string, endpoint: Endpoint, log: Log): BoundEndpoint {
  const method = name.slice(name.indexOf(".") + 1);
  const empty = (suffix: string): MessageShape => ({ name: `${method}${suffix}`, fields: [] });
  const input = endpoint.input as Schema | undefined;
  const output = endpoint.output as Schema | undefined;
  const request = input === undefined ? empty("Request") : shapeOfSchema(`${method}Request`, input, "input");
  const response = shapeOfSchema(`${method}Response`, output, "output");
  const handle = handler(name, endpoint, log.with({ endpoint: name }));
  return {
    request: input === undefined && endpoint.kind !== "unary" ? undefined : request,
    response,
    description: endpoint.description,
    method: {
      name,
      kind: endpoint.kind,
      decode: (bytes, format) =>
        format === "json" ? parseJson(name, bytes) : decodeShape(needed(request, name, "input"), bytes),
      encode: (value, format) => {
        if (format === "json") return Buffer.from(JSON.stringify(value ?? {}));
        return encodeShape(needed(response, name, "output"), value);
      },
      handle,
    },
  };
}

function handler(name: string, endpoint: Endpoint, log: Log): Method["handle"] {
  const input = endpoint.input as Schema | undefined;
  const output = endpoint.output as Schema | undefined;
  const checkInput = (value: unknown) =>
    validate(input, value, (issues) => MicroError.badRequest(name, `invalid request to ${name}: ${issues}`));
  const checkOutput = (value: unknown) =>
    validate(output, value, (issues) => {
      log.error("the handler's reply doesn't match its output schema", { issues });
      return MicroError.internal(name, `${name} made a reply that doesn't match its own output schema: ${issues}`);
    });
  const inputs = async function* (values: AsyncIterable<unknown>) {
    for await (const value of values) yield (await checkInput(value)) as never;
  };
  const outputs = async function* (values: AsyncIterable<unknown>, context: Context) {
    const iterator = values[Symbol.asyncIterator]();
    // Each step runs inside the call's context, which a generator doesn't keep by itself.
    const step = () => currentCall.run(context, () => iterator.next());
    try {
      for (let result = await step(); !result.done; result = await step()) {
        if (context.signal.aborted) return;
        yield await checkOutput(result.value);
      }
    } finally {
      await iterator.return?.();
    }
  };
  const contextOf = (call: CallContext): Context => ({
    account: call.account,
    namespace: call.namespace,
    metadata: call.metadata,
    deadline: call.deadline,
    signal: call.signal,
    service: call.service,
    endpoint: name,
    log,
  });
  switch (endpoint.kind) {
    case "unary":
      return async (value, call) => {
        const context = contextOf(call);
        const request = (await checkInput(value)) as never;
        return checkOutput(await currentCall.run(context, () => endpoint.handler(request, context)));
      };
    case "client":
      return async (values, call) => {
        const context = contextOf(call);
        const reply = await currentCall.run(context, () =>
          endpoint.handler(inputs(values as AsyncIterable<unknown>), context),
        );
        return checkOutput(reply);
      };
    case "server":
      return async function* (value, call) {
        const context = contextOf(call);
        const request = (await checkInput(value)) as never;
        yield* outputs(endpoint.handler(request, context), context);
      };
    case "bidi":
      return (values, call) => {
        const context = contextOf(call);
        return outputs(endpoint.handler(inputs(values as AsyncIterable<unknown>), context), context);
      };
  }
}

function parseJson(name: string, bytes: Uint8Array): unknown {
  if (bytes.length === 0) return {};
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString();
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw MicroError.badRequest(name, `the request to ${name} is not valid JSON: ${(error as Error).message}`);
  }
  if (isTooDeep(value, maxDepth))
    throw MicroError.badRequest(name, `the request to ${name} is nested more than ${maxDepth} levels deep`);
  return value;
}

function isTooDeep(value: unknown, levels: number): boolean {
  if (typeof value !== "object" || value === null) return false;
  if (levels === 0) return true;
  for (const key in value) if (isTooDeep((value as Record<string, unknown>)[key], levels - 1)) return true;
  return false;
}

function needed(shape: MessageShape | undefined, name: string, side: "input" | "output"): MessageShape {
  if (shape !== undefined) return shape;
  throw MicroError.badRequest(
    name,
    `${name} has no ${side} schema that can be turned into protobuf: call it with application/grpc+json, or give the endpoint an ${side} schema of an object`,
  );
}
