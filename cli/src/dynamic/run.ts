import { namespaceKey } from "@microts/core";
import type { CallOptions } from "@microts/core/rpc";
import { type Context, openContext, type Surroundings } from "../context.ts";
import { CommandError, failureOf, usageError } from "../failure.ts";
import { type Flags, findFlag, isHelp, parseFlags, splitFlag, takesNext } from "../flags.ts";
import { type CommandLine, globalFlags } from "../global-flags.ts";
import { indentJson } from "../json.ts";
import { hint, nearest } from "../nearest.ts";
import { type Endpoint, isStream, type Located, RegistryView, type Value } from "../registry.ts";
import { printReplies } from "../replies.ts";
import { commandOf, findEndpoint } from "./endpoint.ts";
import { fieldsOf, matchFields } from "./fields.ts";
import { endpointHelp, serviceHelp } from "./help.ts";
import { buildRequest } from "./request.ts";

/** Flags of the call itself; a field of the request that has the same name goes before them. Other global flags stand before the service. */
const callFlags = {
  output: globalFlags.output,
  request_timeout: { kind: "duration", help: "give up after (default: 10s)" },
  metadata: { kind: "pairs", help: "sent with the call; may be repeated" },
} as const satisfies Flags;

/** `micro <service> …`: every running service is a command (behaviour §2). `builtin` are the names of the built-in commands, for hints. */
export async function runDynamic(
  name: string,
  line: CommandLine,
  builtin: readonly string[],
  around: Surroundings,
): Promise<void> {
  const globals = parseFlags("micro", globalFlags, line.leading, around.env).values;
  await using context = openContext(globals, around);
  const found = await locate(name, builtin, context);
  const [service] = found.versions;
  if (service === undefined) return;
  const words = leadingWords(line.rest);
  const args = line.rest.slice(words.length);
  if (line.help || args.some((word) => isHelp(splitFlag(word)?.name ?? ""))) {
    const endpoint = words.length === 0 ? undefined : findEndpoint(service, words);
    return context.out.write(endpoint === undefined ? serviceHelp(service) : endpointHelp(name, endpoint));
  }
  const endpoint = findEndpoint(service, words);
  if (endpoint === undefined && args.length > 0) {
    const names = service.endpoints.map((each) => commandOf(name, each)).join(", ");
    throw usageError(`${name} has no endpoint Call to give ${args[0]} to. Name one of its endpoints: ${names}`);
  }
  if (endpoint === undefined || needsFlags(endpoint, words, args)) return context.out.write(serviceHelp(service));
  await callEndpoint(found, name, endpoint, { words, args }, context);
}

async function locate(name: string, builtin: readonly string[], { session, signal }: Context): Promise<Located> {
  const registry = new RegistryView(session);
  const found = await registry.find(name, signal).catch((error: unknown) => {
    // A mistyped command should not be answered with a server that isn't there.
    if (failureOf(error, false).exitCode === 4 && nearest(name, builtin).length > 0) return undefined;
    throw error;
  });
  if (found !== undefined) return found;
  const namespace = await session.namespace();
  const running = await registry.names(namespace, signal).catch(() => []);
  const near = hint(name, [...builtin, ...running]);
  throw usageError(
    `Unrecognized micro command: ${name}, and no service of that name runs in namespace "${namespace}". ${near}Please refer to 'micro --help'`,
  );
}

interface Words {
  readonly words: readonly string[];
  readonly args: readonly string[];
}

async function callEndpoint(
  { namespace }: Located,
  service: string,
  endpoint: Endpoint,
  { words, args }: Words,
  context: Context,
): Promise<void> {
  const command = ["micro", service, ...words].join(" ");
  const schema = schemaOf(endpoint);
  const { own, call } = divideFlags(args, schema);
  const flags = parseFlags(command, callFlags, call, context.env).values;
  const request = await buildRequest(own, { command, schema, folder: context.folder });
  const format = flags.output ?? context.out.format;
  const metadata = { ...flags.metadata, [namespaceKey]: namespace };
  const options = { metadata, timeoutMs: flags.request_timeout, signal: context.signal, format: "json" } as const;
  await print(context, service, endpoint, Buffer.from(JSON.stringify(request)), options, format);
}

async function print(
  { out, session }: Context,
  service: string,
  endpoint: Endpoint,
  request: Uint8Array,
  options: CallOptions,
  format: string,
): Promise<void> {
  const rpc = await session.rpc();
  if (isStream(endpoint)) return printReplies(rpc.serverStream(service, endpoint.name, request, options), format, out);
  const text = indentJson(await rpc.unary(service, endpoint.name, request, options));
  if (text !== undefined) return out.write(`${text}\n`);
  throw new CommandError(
    3,
    `the reply is not JSON. See it as it is with: micro call ${service} ${endpoint.name} --output raw`,
    500,
  );
}

/** Words up to the first flag or JSON object name the endpoint. */
function leadingWords(rest: readonly string[]): readonly string[] {
  const end = rest.findIndex((word) => word.startsWith("-") || /^\s*[{[]/.test(word));
  return end < 0 ? rest : rest.slice(0, end);
}

/** A bare service name calls `Call` only when that needs nothing. */
function needsFlags(endpoint: Endpoint, words: readonly string[], args: readonly string[]): boolean {
  const takesFields = schemaOf(endpoint) === undefined || (endpoint.request?.values.length ?? 0) > 0;
  return words.length === 0 && args.length === 0 && takesFields;
}

/** Streaming endpoints written in Go register the type `Context` instead of a schema. */
function schemaOf({ request }: Endpoint): Value | undefined {
  const isUnknown = request === undefined || (request.values.length === 0 && /^(Context|Stream)?$/.test(request.type));
  return isUnknown ? undefined : request;
}

/** Divides arguments into those of the request and those of the call. */
function divideFlags(args: readonly string[], schema: Value | undefined): { own: string[]; call: string[] } {
  const fields = schema === undefined ? [] : fieldsOf(schema);
  const own: string[] = [];
  const call: string[] = [];
  for (let at = 0; at < args.length; at++) {
    const word = args[at] ?? "";
    const split = splitFlag(word);
    const key = split && findFlag(callFlags, split.name);
    if (split === undefined || key === undefined || matchFields(fields, split.name).length > 0) {
      own.push(word);
      continue;
    }
    call.push(word);
    const next = args[at + 1];
    if (split.value === undefined && next !== undefined && takesNext(callFlags[key as keyof typeof callFlags], next)) {
      call.push(next);
      at++;
    }
  }
  return { own, call };
}
