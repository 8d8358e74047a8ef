import { statSync } from "node:fs";
import {
  authorizationKey,
  credentialsPath,
  type Metadata,
  MicroError,
  namespaceKey,
  readLocalCredentials,
} from "@microts/core";
import { RpcClient, serviceClient } from "@microts/core/rpc";
import { Auth } from "@microts/proto/auth";
import type { Environment } from "./environment.ts";

interface Access {
  readonly token: string;
  readonly refreshToken: string;
  readonly expiresAt: number;
}

/** How long access tokens are asked for, and how long before their end they are renewed. */
const lifetimeSeconds = 600;
const renewBeforeMs = 60_000;

/**
 * Who this process is to the platform: the account the runtime made for it, or, started by hand on the machine of the server, the
 * credentials the server keeps there. Tokens are renewed before they end; concurrent callers share one renewal.
 */
export class Identity {
  readonly #env: Environment;
  readonly #anonymous: RpcClient;
  #access: Access | undefined;
  #renewal: Promise<Access | undefined> | undefined;
  /** When the server wrote the local credentials that are in use, in milliseconds since 1970. */
  #localAt: number | undefined;

  constructor(env: Environment) {
    this.#env = env;
    this.#anonymous = new RpcClient({ resolve: () => env.proxy });
  }

  /** The metadata that goes with every call: namespace and, if there is an identity, its token. */
  async metadata(): Promise<Metadata> {
    const access = await this.#current();
    return {
      [namespaceKey]: this.#env.namespace,
      ...(access !== undefined && { [authorizationKey]: `Bearer ${access.token}` }),
    };
  }

  #current(): Promise<Access | undefined> | Access {
    const access = this.#access;
    if (access !== undefined && access.expiresAt - Date.now() > renewBeforeMs && !this.#isReplaced()) return access;
    this.#renewal ??= this.#renew()
      .catch((error: unknown) => {
        // The old token is still good for a while: the server may be back by then.
        if (access !== undefined && access.expiresAt > Date.now()) return access;
        throw error;
      })
      .finally(() => {
        this.#renewal = undefined;
      });
    return this.#renewal;
  }

  /** Whether a server that was started again has left other local credentials. Throws 503 while it has left none: it is away. */
  #isReplaced(): boolean {
    if (this.#env.credentials !== undefined) return false;
    const writtenAt = this.#localWrittenAt();
    if (writtenAt !== undefined) return writtenAt !== this.#localAt;
    throw MicroError.unavailable("service", `the server at ${this.#env.proxy} has stopped: start it with micro server`);
  }

  #localWrittenAt(): number | undefined {
    const { home, proxy } = this.#env;
    return statSync(credentialsPath(home, proxy), { throwIfNoEntry: false })?.mtimeMs;
  }

  async #renew(): Promise<Access | undefined> {
    const { credentials, home, proxy } = this.#env;
    if (credentials === undefined) {
      this.#localAt = this.#localWrittenAt();
      const local = await readLocalCredentials(home, proxy);
      this.#access = local && { token: local.token, refreshToken: "", expiresAt: local.expiry.getTime() };
      return this.#access;
    }
    const refreshToken = this.#access?.refreshToken;
    const options = { namespace: this.#env.namespace };
    if (refreshToken) {
      const renewed = await this.#token({ refreshToken, options }).catch(() => undefined);
      if (renewed !== undefined) return renewed;
    }
    return this.#token({ ...credentials, options });
  }

  async #token(request: {
    id?: string;
    secret?: string;
    refreshToken?: string;
    options: { namespace: string };
  }): Promise<Access> {
    const auth = serviceClient(Auth, this.#anonymous, "auth");
    const { token } = await auth.token({ ...request, tokenExpiry: BigInt(lifetimeSeconds) });
    if (token === undefined)
      throw MicroError.unauthorized("service", "the platform gave no token for this service's account");
    this.#access = {
      token: token.accessToken,
      refreshToken: token.refreshToken,
      expiresAt: Number(token.expiry) * 1000,
    };
    return this.#access;
  }
}
