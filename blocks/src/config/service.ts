import { createHash } from "node:crypto";
import { type Account, defaultNamespace, MicroError, requireAdmin } from "@microts/core";
import { type Method, methodsOf } from "@microts/core/rpc";
import { Config as ConfigService } from "@microts/proto/config";
import type { Config } from "./config.ts";
import type { Json, RotationProgress } from "./driver.ts";
import { maxDocumentBytes } from "./json.ts";

interface Query {
  readonly namespace: string;
  readonly path: string;
  readonly secret: boolean;
}

/** The block as the service `config` (wire §13), for admins and services of a namespace; an empty one is `micro`. */
export function configMethods(config: Config): Method[] {
  return methodsOf(ConfigService, {
    async get({ namespace, path, options }, { account, signal }) {
      const query = { namespace: admitted(account, namespace, "Get"), path, secret: options?.secret ?? false };
      return { value: { data: await read(config, query, signal), format: "json" } };
    },
    async set({ namespace, path, value, options }, { account, signal }) {
      const admittedTo = admitted(account, namespace, "Set");
      const json = parseValue(value?.data);
      await config.set(path, json, { namespace: admittedTo, secret: options?.secret ?? false, signal });
      return {};
    },
    async delete({ namespace, path }, { account, signal }) {
      await config.delete(path, { namespace: admitted(account, namespace, "Delete"), signal });
      return {};
    },
    async read({ namespace, path }, { account, signal }) {
      const query = { namespace: admitted(account, namespace, "Read"), path, secret: false };
      const data = await read(config, query, signal);
      const checksum = createHash("sha256").update(data).digest("hex");
      const timestamp = BigInt(Math.floor(Date.now() / 1000));
      return {
        change: { namespace, path, changeSet: { data, checksum, format: "json", source: "config", timestamp } },
      };
    },
    async watch({ namespace, path, options }, { account, signal }) {
      const admittedTo = admitted(account, namespace, "Watch");
      return replies(await config.watch(path, { namespace: admittedTo, secret: options?.secret ?? false, signal }));
    },
    async rotate(_, { account, signal }) {
      // The keys are the platform's, whoever's secrets they seal.
      requireAdmin(account, defaultNamespace, "config.Config.Rotate");
      return steps(await config.rotate({ signal }));
    },
  });
}

async function* replies(values: AsyncIterable<Json | undefined>) {
  for await (const value of values)
    yield value === undefined ? {} : { value: { data: JSON.stringify(value), format: "json" } };
}

async function* steps(progress: AsyncIterable<RotationProgress>) {
  for await (const { sealed, ...counts } of progress) yield { ...counts, sealed: [...sealed] };
}

function admitted(account: Account | undefined, namespace: string, method: string): string {
  const chosen = namespace || defaultNamespace;
  requireAdmin(account, chosen, `config.Config.${method}`);
  return chosen;
}

/** Compact JSON: `null` for a path that isn't in the document; 404 without a document. */
async function read(config: Config, { namespace, path, secret }: Query, signal: AbortSignal): Promise<string> {
  const value = await config.get(path, { namespace, secret, signal });
  if (value !== undefined) return JSON.stringify(value);
  if (path !== "" && (await config.get("", { namespace, signal })) !== undefined) return "null";
  throw MicroError.notFound(
    "config.Config.Get",
    `Not found: namespace "${namespace}" has no config. Set some with: micro config set <path> <value>`,
  );
}

function parseValue(data: string | undefined): unknown {
  const at = "config.Config.Set";
  if (data === undefined || data === "") throw MicroError.badRequest(at, "invalid change: the value is missing");
  if (Buffer.byteLength(data) > maxDocumentBytes) {
    throw MicroError.tooLarge(
      at,
      `the value has more than ${maxDocumentBytes} bytes, which is the most a document can have`,
    );
  }
  try {
    return JSON.parse(data);
  } catch {
    // The parser's own message has a piece of the text, which may be a secret.
    throw MicroError.badRequest(at, `Request is invalid JSON: ${data.length} characters that aren't a JSON value`);
  }
}
