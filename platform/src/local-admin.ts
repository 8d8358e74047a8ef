import type { Auth } from "@microts/blocks/auth";
import { type Account, defaultNamespace, type Log, removeLocalCredentials, writeLocalCredentials } from "@microts/core";

const lifetimeMs = 60 * 60_000;
const renewMs = 20 * 60_000;

/** Whoever may read the server's files is its admin. */
const admin: Account = {
  id: "admin",
  name: "admin",
  type: "user",
  issuer: defaultNamespace,
  scopes: ["admin"],
  metadata: {},
};

/**
 * Keeps a short-lived admin token in a file only this user can read, so that the command line and services of the same machine need no login.
 * Renewed while the server runs, removed when it stops.
 */
export class LocalAdmin implements AsyncDisposable {
  readonly #auth: Auth;
  readonly #home: string;
  readonly #address: string;
  readonly #log: Log;
  #timer: NodeJS.Timeout | undefined;

  constructor(auth: Auth, home: string, address: string, log: Log) {
    this.#auth = auth;
    this.#home = home;
    this.#address = address;
    this.#log = log;
  }

  async start(): Promise<void> {
    await this.#write();
    this.#timer = setInterval(() => {
      this.#write().catch((error: unknown) => this.#log.error("could not renew the local credentials", { error }));
    }, renewMs).unref();
  }

  async #write(): Promise<void> {
    const { accessToken, expiry } = await this.#auth.issueToken(admin, lifetimeMs);
    await writeLocalCredentials(this.#home, {
      address: this.#address,
      namespace: defaultNamespace,
      account: admin.id,
      token: accessToken,
      expiry,
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    await removeLocalCredentials(this.#home, this.#address);
  }
}
