import type { ServiceClient } from "@microts/core/rpc";
import type { Runtime } from "@microts/proto/runtime";
import type { Context } from "./context.ts";
import type { Project } from "./pack/project.ts";
import { type Packed, packProject, upload } from "./pack/upload.ts";

/** What is brought to the runtime, and as what. */
export interface Deployment {
  readonly project: Project;
  readonly name: string;
  readonly version: string;
  readonly instances: number | undefined;
}

export interface CreateChoices {
  readonly env: Readonly<Record<string, string>>;
  readonly metadata: Readonly<Record<string, string>>;
  /** Replace a service of that name. */
  readonly force: boolean;
}

/** Building and starting take as long as they take; the runtime has its own limits. */
const deployTimeoutMs = 5 * 60_000;

/** Uploads the source and starts it as a new service. Resolves when it runs and answers. */
export async function create(deployment: Deployment, choices: CreateChoices, context: Context): Promise<Packed> {
  const packed = await packAndWarn(deployment, context);
  const source = await upload(packed.files, deployment.name, deployment.version, context);
  const { name, version, instances } = deployment;
  const namespace = await context.session.namespace();
  const runtime = await runtimeClient(context);
  const metadata = { ...choices.metadata, source: sourcePath(packed.project) };
  await runtime.create(
    {
      resource: { service: { name, version, source, metadata } },
      options: {
        namespace,
        entrypoint: packed.project.entrypoint,
        env: Object.entries(choices.env).map(([key, value]) => `${key}=${value}`),
        force: choices.force,
        instances: BigInt(instances ?? 1),
      },
    },
    { signal: context.signal, timeoutMs: deployTimeoutMs },
  );
  return packed;
}

/** Uploads the source and puts it in the place of what runs. Resolves when the new one answers; if it doesn't, the old one stays. */
export async function update(deployment: Deployment, context: Context): Promise<Packed> {
  const packed = await packAndWarn(deployment, context);
  const source = await upload(packed.files, deployment.name, deployment.version, context);
  const { name, version, instances } = deployment;
  const namespace = await context.session.namespace();
  const runtime = await runtimeClient(context);
  await runtime.update(
    {
      resource: { service: { name, version, source, metadata: { source: sourcePath(packed.project) } } },
      options: {
        namespace,
        entrypoint: packed.project.entrypoint,
        ...(instances !== undefined && { instances: BigInt(instances) }),
      },
    },
    { signal: context.signal, timeoutMs: deployTimeoutMs },
  );
  return packed;
}

/** Stops the service and forgets it. */
export async function remove(name: string, version: string, context: Context, signal = context.signal): Promise<void> {
  const namespace = await context.session.namespace();
  const runtime = await runtimeClient(context);
  await runtime.delete(
    { resource: { service: { name, version } }, options: { namespace } },
    { signal, timeoutMs: 60_000 },
  );
}

export async function runtimeClient({ session }: Context): Promise<ServiceClient<typeof Runtime.method>> {
  const { Runtime: descriptor } = await import("@microts/proto/runtime");
  return session.client(descriptor, "runtime");
}

async function packAndWarn({ project }: Deployment, { out }: Context): Promise<Packed> {
  const packed = await packProject(project);
  for (const link of packed.skippedLinks)
    out.warn(`left out ${link}: a symbolic link to a folder, or out of the project`);
  return packed;
}

function sourcePath({ root, entrypoint }: Project): string {
  return entrypoint === "" ? root : `${root}/${entrypoint}`;
}
