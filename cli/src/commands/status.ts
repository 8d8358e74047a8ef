import { MicroError } from "@microts/core";
import type { Service } from "@microts/proto/runtime";
import { command } from "../command.ts";
import type { Context } from "../context.ts";
import { runtimeClient } from "../deploy.ts";
import { formatElapsed } from "../duration.ts";
import { serviceRef } from "../service-ref.ts";
import { tabTable } from "../table.ts";

/** By their numbers on the wire (wire §12). */
const statusNames = ["unknown", "pending", "building", "starting", "running", "stopping", "stopped", "error"];

export const status = command({
  summary: "Show the state of services",
  args: "[name] [version]",
  examples: ["status", "status helloworld"],
  flags: {
    name: { kind: "text", help: "show only the service of this name" },
    type: { kind: "text", help: "show only services of this type" },
  },
  run: async (context, flags, [text, wordVersion]) => {
    const ref = text === undefined ? undefined : await serviceRef(text, context);
    const { session, signal, out } = context;
    const namespace = await session.namespace();
    const runtime = await runtimeClient(context);
    const service = ref?.name ?? flags.name ?? "";
    const version = ref === undefined ? "" : (wordVersion ?? ref.version);
    const { services } = await runtime.read(
      { options: { namespace, service, version, type: flags.type ?? "" } },
      { signal },
    );
    const sorted = services.toSorted((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
    await out.result(sorted.map(jsonRow), sorted.length === 0 ? "" : tabTable([header, ...sorted.map(textRow)]));
    const sealed = await sealReason(context, namespace);
    if (sealed !== "") out.warn(`Secrets in config are sealed: ${sealed}`);
  },
});

/** Why secrets of the namespace can't be used; empty when they can, or when whoever asks isn't told. */
async function sealReason({ session, signal }: Context, namespace: string): Promise<string> {
  const { Config } = await import("@microts/proto/config");
  const config = await session.client(Config, "config");
  try {
    return (await config.sealed({ namespace }, { signal })).reason;
  } catch (error) {
    // Someone who may see services needn't be an admin, and the server may be one of Micro v3.
    if (error instanceof MicroError && error.code !== 499) return "";
    throw error;
  }
}

const header = ["NAME", "VERSION", "SOURCE", "STATUS", "BUILD", "UPDATED", "METADATA"];

function textRow({ name, version, source, status: code, metadata }: Service): string[] {
  const word = statusName(code, metadata);
  const details = [`owner=${metadata["owner"] || "n/a"}`, `group=${metadata["group"] || "n/a"}`];
  if (word === "error") details.push(`error=${(metadata["error"] ?? "").replaceAll("\n", " ")}`);
  const build = (metadata["build"] ?? "").slice(0, 7);
  const cells = [
    name,
    version,
    metadata["source"] || source,
    word,
    build,
    updated(metadata["started"]),
    details.join(", "),
  ];
  return cells.map((cell) => cell || "n/a");
}

function jsonRow({ name, version, source, status: code, metadata }: Service): Record<string, unknown> {
  return { name, version, source: metadata["source"] || source, status: statusName(code, metadata), metadata };
}

function statusName(code: number, metadata: Readonly<Record<string, string>>): string {
  return statusNames[code] ?? metadata["status"] ?? "unknown";
}

/** `1d2h3m4s ago`; empty when the time isn't known. */
function updated(started: string | undefined): string {
  const at = started === undefined ? Number.NaN : Date.parse(started);
  return Number.isNaN(at) ? "" : `${formatElapsed(Date.now() - at)} ago`;
}
