import { type Account, describe, LineLimit, type Log, requireAdmin } from "@microts/core";
import type { Config } from "./config.ts";

interface Access {
  readonly account: Account | undefined;
  readonly namespace: string;
  readonly path: string;
}

/** Says in the log who was let in and who wasn't. Never a value. */
export class Audit {
  readonly #log: Log;
  readonly #limit: LineLimit;

  constructor(log: Log) {
    this.#log = log;
    this.#limit = new LineLimit({
      onLeftOut: (by, times, ms) =>
        log.warn("audit: access to config was refused more often", { times, seconds: ms / 1000, by: by || "various" }),
    });
  }

  /** Lets admins and services of the namespace in. Throws 401 or 403, which is noted. */
  admit(method: string, access: Access): void {
    try {
      requireAdmin(access.account, access.namespace, `config.Config.${method}`);
    } catch (error) {
      const fields = fieldsOf(access);
      if (this.#limit.allows(fields.by)) this.#log.warn("audit: access to config was refused", { method, ...fields });
      throw error;
    }
  }

  changed(method: string, access: Access, secret = false): void {
    this.#log.info("audit: config was changed", { method, ...fieldsOf(access), ...(secret && { secret }) });
  }

  /** Notes a reading that was asked to show secrets, if there are any: services ask so for everything. */
  async revealed(config: Config, method: string, access: Access): Promise<void> {
    const masked = await config.get(access.path, { namespace: access.namespace });
    if (JSON.stringify(masked)?.includes('"[secret]"'))
      this.#log.info("audit: secrets were read", { method, ...fieldsOf(access) });
  }
}

function fieldsOf({ account, namespace, path }: Access): Readonly<Record<"by" | "namespace" | "path", string>> {
  return { by: account === undefined ? "nobody" : describe(account), namespace, path };
}
