import { createHash } from "node:crypto";
import { type Account, defaultNamespace, type Log, MicroError, requireAdmin, silent } from "@microts/core";
import { type Method, methodsOf } from "@microts/core/rpc";
import { Config as ConfigService } from "@microts/proto/config";
import { Audit } from "./audit.ts";
import type { Config } from "./config.ts";
import type { Json, RotationProgress } from "./driver.ts";
import { maxDocumentBytes } from "./json.ts";

interface Query {
  readonly namespace: string;
  readonly path: string;
  readonly secret: boolean;
}

/** The block as the service `config` (wire §13), for admins and services of a namespace; an empty one is `micro`. Who reads secrets or is refused is logged. */
export function configMethods(config: Config, log: Log = silent): Method[] {
  const audit = new Audit(log);
  const admitted = (method: string, account: Account | undefined, named: string, path: string) => {
    const access = { account, namespace: named || defaultNamespace, path };
    audit.admit(method, access);
    return access;
  };
  return methodsOf(ConfigService, {
    async get({ namespace: named, path, options }, { account, signal }) {
      const access = admitted("Get", account, named, path);
      const { secret = false } = options ?? {};
      const data = await read(config, { ...access, secret }, signal);
      if (secret) await audit.revealed(config, "Get", access);
      return { value: { data, format: "json" } };
    },
    async set({ namespace: named, path, value, options }, { account, signal }) {
      const access = admitted("Set", account, named, path);
      const { secret = false } = options ?? {};
      await config.set(path, parseValue(value?.data), { namespace: access.namespace, secret, signal });
      audit.changed("Set", access, secret);
      return {};
    },
    async delete({ namespace: named, path }, { account, signal }) {
      const access = admitted("Delete", account, named, path);
      await config.delete(path, { namespace: access.namespace, signal });
      audit.changed("Delete", access);
      return {};
    },
    async read({ namespace: named, path }, { account, signal }) {
      const access = admitted("Read", account, named, path);
      const data = await read(config, { ...access, secret: false }, signal);
      const checksum = createHash("sha256").update(data).digest("hex");
      const timestamp = BigInt(Math.floor(Date.now() / 1000));
      return {
        change: { namespace: named, path, changeSet: { data, checksum, format: "json", source: "config", timestamp } },
      };
    },
    async watch({ namespace: named, path, options }, { account, signal }) {
      const access = admitted("Watch", account, named, path);
      const { secret = false } = options ?? {};
      const values = await config.watch(path, { namespace: access.namespace, secret, signal });
      if (secret) await audit.revealed(config, "Watch", access);
      return replies(values);
    },
    async rotate(_, { account, signal }) {
      // The keys are the platform's, whoever's secrets they seal.
      const access = admitted("Rotate", account, defaultNamespace, "");
      const progress = await config.rotate({ signal });
      audit.changed("Rotate", access);
      return steps(progress);
    },
    async sealed({ namespace: named }, { account, signal }) {
      const namespace = named || defaultNamespace;
      // Not a line in the audit: `micro status` asks for everybody, and there is nothing to learn but a reason.
      requireAdmin(account, namespace, "config.Config.Sealed");
      return { reason: (await config.sealed({ namespace, signal })) ?? "" };
    },
  });
}

async function* replies(values: AsyncIterable<Json | undefined>) {
  for await (const value of values) yield value === undefined ? {} : { value: { data: textOf(value), format: "json" } };
}

const texts = new WeakMap<object, string>();

/** Made once for all who are given the same object: a change of a large document may have many watchers. */
function textOf(value: Json): string {
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const text = texts.get(value) ?? JSON.stringify(value);
  texts.set(value, text);
  return text;
}

async function* steps(progress: AsyncIterable<RotationProgress>) {
  for await (const { sealed, ...counts } of progress) yield { ...counts, sealed: [...sealed] };
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
