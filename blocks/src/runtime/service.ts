import { type Account, defaultNamespace, MicroError, requireAdmin, requireMember } from "@microts/core";
import { type Method, methodsOf } from "@microts/core/rpc";
import { Build, type Resource, Runtime as RuntimeProto, Source, type UploadRequest } from "@microts/proto/runtime";
import { type LogLine, type Owner, type RuntimeService, serviceStatuses } from "./driver.ts";
import type { NewService, Runtime } from "./runtime.ts";

const id = (endpoint: string) => `runtime.${endpoint}`;
const chunkBytes = 64 * 1024;

/**
 * Exposes the runtime as `runtime.Runtime`, `runtime.Source` and `runtime.Build` (wire §13). Unlike the original, which let any account upload sources
 * and fetch builds, both take an admin of the namespace that the call acts in.
 */
export function runtimeMethods(runtime: Runtime): Method[] {
  return [...serviceRpcs(runtime), ...sourceRpcs(runtime), ...buildRpcs(runtime)];
}

function serviceRpcs(runtime: Runtime): Method[] {
  return methodsOf(RuntimeProto, {
    create: async ({ resource, options }, { account, signal }) => {
      const namespace = options?.namespace || defaultNamespace;
      const owner = ownerOf(requireAdmin(account, namespace, id("Runtime.Create")));
      const service = serviceIn(resource, id("Runtime.Create"));
      if (service === undefined) return {};
      refuseUnsupported(options?.image ?? "", options?.volumes ?? {});
      const env = { ...variables(options?.env ?? [], id("Runtime.Create")), ...options?.secrets };
      const { entrypoint = "", command = [], args = [], force = false } = options ?? {};
      await runtime.create(service, {
        namespace,
        owner,
        env,
        entrypoint,
        command,
        args,
        force,
        instances: Number(options?.instances ?? 0n) || 1,
        signal,
      });
      return {};
    },
    read: async ({ options }, { account, signal }) => {
      const namespace = options?.namespace || defaultNamespace;
      requireMember(account, namespace, id("Runtime.Read"));
      const services = await runtime.read({ namespace, name: options?.service, version: options?.version, signal });
      return { services: services.map(serviceMessage) };
    },
    update: async ({ resource, options }, { account, signal }) => {
      const namespace = options?.namespace || defaultNamespace;
      requireAdmin(account, namespace, id("Runtime.Update"));
      const service = serviceIn(resource, id("Runtime.Update"));
      if (service === undefined) return {};
      await runtime.update(service, {
        namespace,
        entrypoint: options?.entrypoint ?? "",
        instances: Number(options?.instances ?? 0n),
        signal,
      });
      return {};
    },
    delete: async ({ resource, options }, { account, signal }) => {
      const namespace = options?.namespace || defaultNamespace;
      requireAdmin(account, namespace, id("Runtime.Delete"));
      const service = serviceIn(resource, id("Runtime.Delete"));
      if (service !== undefined) await runtime.delete(service.name, { namespace, version: service.version, signal });
      return {};
    },
    logs: async ({ service, version, stream, count, since, options }, { account, signal }) => {
      const namespace = options?.namespace || defaultNamespace;
      requireAdmin(account, namespace, id("Runtime.Logs"));
      const from = since > 0n ? new Date(Number(since) * 1000) : undefined;
      return recordsOf(
        await runtime.logs(service, { namespace, version, count: Number(count), since: from, follow: stream, signal }),
      );
    },
  });
}

function sourceRpcs(runtime: Runtime): Method[] {
  return methodsOf(Source, {
    upload: async (requests, { account, namespace, signal }) => {
      requireAdmin(account, namespace, id("Source.Upload"));
      const messages = requests[Symbol.asyncIterator]();
      const { value: first } = await messages.next();
      const service = (first as UploadRequest | undefined)?.service;
      if (first === undefined || service === undefined) {
        throw MicroError.badRequest(
          id("Source.Upload"),
          "the first message must name the service that the source is of",
        );
      }
      const chunks = dataOf(first as UploadRequest, { [Symbol.asyncIterator]: () => messages });
      return { id: await runtime.upload(service.name, chunks, { namespace, version: service.version, signal }) };
    },
  });
}

function buildRpcs(runtime: Runtime): Method[] {
  return methodsOf(Build, {
    read: async ({ name, version }, { account, namespace, signal }) => {
      requireAdmin(account, namespace, id("Build.Read"));
      return piecesOf(await runtime.build(name, { namespace, version, signal }));
    },
  });
}

async function* piecesOf(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<{ data: Uint8Array }, void, undefined> {
  for await (const chunk of chunks) {
    for (let from = 0; from < chunk.length; from += chunkBytes) yield { data: chunk.subarray(from, from + chunkBytes) };
  }
}

/** The timestamp in unix seconds, and the exact time as metadata: in the original the timestamp was always 0. */
async function* recordsOf(lines: AsyncIterable<LogLine>) {
  for await (const { timestamp, metadata, message } of lines) {
    const time = timestamp.toISOString();
    yield { timestamp: BigInt(Math.floor(timestamp.getTime() / 1000)), metadata: { ...metadata, time }, message };
  }
}

async function* dataOf(
  first: UploadRequest,
  rest: AsyncIterable<UploadRequest>,
): AsyncGenerator<Uint8Array, void, undefined> {
  yield first.data;
  for await (const { data } of rest) yield data;
}

/**
 * The service in a resource. Undefined for a namespace: here it is there as soon as something is in it, and gone with the last of it, so making or
 * removing one is done already. Throws 501 for policies and quotas, as nothing would keep to them.
 */
function serviceIn(resource: Resource | undefined, id: string): NewService | undefined {
  if (resource?.service !== undefined) {
    const { name, version, source, metadata } = resource.service;
    return { name, version, source, metadata };
  }
  if (resource?.namespace !== undefined) return undefined;
  if (resource?.networkpolicy !== undefined)
    throw MicroError.notImplemented(
      id,
      "this runtime has no network policies: tenants are kept apart by their namespace",
    );
  if (resource?.resourcequota !== undefined) throw MicroError.notImplemented(id, "this runtime has no resource quotas");
  throw MicroError.badRequest(id, "the request names no service");
}

function refuseUnsupported(image: string, volumes: Readonly<Record<string, string>>): void {
  if (image !== "")
    throw MicroError.notImplemented(
      id("Runtime.Create"),
      `the image ${JSON.stringify(image)} can't be run: this runtime runs services from source`,
    );
  if (Object.keys(volumes).length > 0)
    throw MicroError.notImplemented(
      id("Runtime.Create"),
      "this runtime has no volumes: what a service keeps belongs into the store",
    );
}

function variables(pairs: readonly string[], id: string): Record<string, string> {
  return Object.fromEntries(
    pairs.map((pair) => {
      const at = pair.indexOf("=");
      if (at <= 0) throw MicroError.badRequest(id, "an environment variable is not of the form NAME=value");
      return [pair.slice(0, at), pair.slice(at + 1)];
    }),
  );
}

function ownerOf({ id, name, issuer }: Account): Owner {
  return { name: name || id, group: issuer };
}

function serviceMessage({ name, version, source, metadata, status }: RuntimeService) {
  return { name, version, source, metadata: { ...metadata, status }, status: serviceStatuses.indexOf(status) };
}
