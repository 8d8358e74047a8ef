import { randomUUID } from "node:crypto";
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
  /** What protobuf calls carry; undefined when a schema can't be turned into messages, and JSON is the only way. */
  readonly messages: { readonly request: MessageShape; readonly response: MessageShape } | undefined;
  readonly request: MessageShape | undefined;
  readonly response: MessageShape | undefined;
  readonly description: string | undefined;
}

/** Binds an endpoint to its name within its service: validation, both encodings, the handler's context. */
export function bindEndpoint(service: string, name: string, endpoint: Endpoint, log: Log): BoundEndpoint {
  const id = `${service}.${name}`;
  const method = name.slice(name.indexOf(".") + 1);
  const empty = (suffix: string): MessageShape => ({ name: `${method}${suffix}`, fields: [] });
  const input = endpoint.input as Schema | undefined;
  const output = endpoint.output as Schema | undefined;
  const request = input === undefined ? empty("Request") : shapeOfSchema(`${method}Request`, input, "input");
  const response = shapeOfSchema(`${method}Response`, output, "output");
  const handle = handler(id, name, endpoint, log.with({ endpoint: name }));
  return {
    request: input === undefined && endpoint.kind !== "unary" ? undefined : request,
    response,
    messages: request && response && { request, response },
    description: endpoint.description,
    method: {
      name,
      kind: endpoint.kind,
      decode: (bytes, format) => {
        if (format === "json") return parseJson(id, bytes);
        // Told before the handler has done anything.
        needed(response, id, "output");
        return decodeShape(needed(request, id, "input"), bytes, id);
      },
      encode: (value, format) => {
        if (format === "json") return Buffer.from(JSON.stringify(value ?? {}));
        return encodeShape(needed(response, id, "output"), value);
      },
      handle,
    },
  };
}

function handler(id: string, name: string, endpoint: Endpoint, log: Log): Method["handle"] {
  const input = endpoint.input as Schema | undefined;
  const output = endpoint.output as Schema | undefined;
  // Without a schema there is nothing to send, and what is sent all the same stays unread.
  const checkInput = (value: unknown) =>
    validate(input, input === undefined ? {} : value, (issues) =>
      MicroError.badRequest(id, `invalid request to ${name}: ${issues}`),
    );
  const checkOutput = (value: unknown) =>
    validate(output, value, (issues) => {
      log.error("the handler's reply doesn't match its output schema", { issues });
      return MicroError.internal(id, `${name} made a reply that doesn't match its own output schema: ${issues}`);
    });
  /**
   * Runs code of the handler in its call's context. What broke in it is the developer's to see, in the log with its stack; the caller gets a number
   * to find it by, because the message may say what isn't meant for callers.
   */
  const told = async <T>(context: Context, run: () => Promise<T>): Promise<T> => {
    try {
      return await currentCall.run(context, run);
    } catch (error) {
      if (error instanceof MicroError || context.signal.aborted) throw error;
      const failure = randomUUID().slice(0, 8);
      log.error("the handler failed", {
        failure,
        error: error instanceof Error ? (error.stack ?? error.message) : error,
      });
      const where = `the reason is in the service's log, under ${failure}: micro logs ${context.service}`;
      throw new MicroError(500, id, `the handler of ${name} failed; ${where}`, { cause: error });
    }
  };
  const inputs = async function* (values: AsyncIterable<unknown>) {
    for await (const value of values) yield (await checkInput(value)) as never;
  };
  const outputs = async function* (values: AsyncIterable<unknown>, context: Context) {
    const iterator = values[Symbol.asyncIterator]();
    // Each step runs inside the call's context, which a generator doesn't keep by itself.
    const step = () => told(context, () => iterator.next());
    try {
      for (let result = await step(); !result.done; result = await step()) {
        if (context.signal.aborted) return;
        yield await checkOutput(result.value);
      }
    } finally {
      await currentCall.run(context, async () => iterator.return?.());
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
        const reply = await told(context, async () => endpoint.handler(request, context));
        return checkOutput(reply);
      };
    case "client":
      return async (values, call) => {
        const context = contextOf(call);
        const requests = inputs(values as AsyncIterable<unknown>);
        const reply = await told(context, async () => endpoint.handler(requests, context));
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

function parseJson(id: string, bytes: Uint8Array): unknown {
  if (bytes.length === 0) return {};
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString();
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw MicroError.badRequest(id, `the request is not valid JSON: ${(error as Error).message}`);
  }
  if (isTooDeep(value, maxDepth))
    throw MicroError.badRequest(id, `the request is nested more than ${maxDepth} levels deep`);
  return value;
}

function isTooDeep(value: unknown, levels: number): boolean {
  if (typeof value !== "object" || value === null) return false;
  if (levels === 0) return true;
  for (const key in value) if (isTooDeep((value as Record<string, unknown>)[key], levels - 1)) return true;
  return false;
}

function needed(shape: MessageShape | undefined, id: string, side: "input" | "output"): MessageShape {
  if (shape !== undefined) return shape;
  throw MicroError.badRequest(
    id,
    `${id} has no ${side} schema that can be turned into protobuf: call it with application/grpc+json, or give the endpoint an ${side} schema of an object`,
  );
}
