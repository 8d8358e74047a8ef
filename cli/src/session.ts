import { join } from "node:path";
import type { GenService, GenServiceMethods } from "@bufbuild/protobuf/codegenv2";
import {
  authorizationKey,
  defaultNamespace,
  homeDir,
  type Metadata,
  MicroError,
  namespaceKey,
  readLocalCredentials,
} from "@microts/core";
import type { RpcClient, ServiceClient } from "@microts/core/rpc";
import { ConfigFile, configPath } from "./config-file.ts";
import { type Environment, Environments } from "./environments.ts";
import { CommandError, unreachableAddress } from "./failure.ts";
import type { Env } from "./flags.ts";
import { type StoredToken, TokenFile, type TokenOwner } from "./token-file.ts";

/** What the user chose on the command line; undefined for what the config file or the defaults decide. */
export interface SessionChoices {
  readonly config?: string | undefined;
  readonly environment?: string | undefined;
  readonly namespace?: string | undefined;
  /** `host:port` of a proxy, instead of the environment's. */
  readonly address?: string | undefined;
}

/** A stored token is renewed when it has less than this left. */
const renewBeforeMs = 60_000;

/** The life of the access tokens that are asked for; they are renewed as long as the login lasts. */
export const tokenSeconds = 600n;

/** Where and as whom a command acts. Opening it touches nothing; each part is read when it is first asked for. */
export class Session implements AsyncDisposable {
  readonly home: string;
  readonly config: ConfigFile;
  readonly environments: Environments;
  readonly tokens: TokenFile;
  readonly #env: Env;
  readonly #choices: SessionChoices;
  readonly #warn: (line: string) => void;
  #rpc: Promise<RpcClient> | undefined;
  #token: Promise<string | undefined> | undefined;

  constructor(env: Env, choices: SessionChoices, warn: (line: string) => void) {
    this.home = homeDir(env);
    this.config = new ConfigFile(choices.config ?? configPath(this.home));
    this.environments = new Environments(this.config);
    this.tokens = new TokenFile(join(this.home, "tokens"));
    this.#env = env;
    this.#choices = choices;
    this.#warn = warn;
  }

  /** A session of its own in another environment; without a name, in the one that this acts in. */
  elsewhere(environment: string | undefined): Session {
    const choices = environment === undefined ? {} : { environment, address: undefined, namespace: undefined };
    return new Session(this.#env, { ...this.#choices, ...choices }, this.#warn);
  }

  async environmentName(): Promise<string> {
    return this.#choices.environment ?? (await this.environments.current());
  }

  /** Throws when the environment isn't known. Its address is the one given on the command line, if one was. */
  async environment(): Promise<Environment> {
    const name = await this.environmentName();
    const { address } = this.#choices;
    if (address !== undefined) return { name, address, description: "" };
    const environment = await this.environments.get(name);
    if (environment.address === "") {
      throw new CommandError(
        1,
        `the environment "${name}" has no address. Give it one: micro env add ${name} host:port`,
      );
    }
    return environment;
  }

  /** `host:port`; 443 and TLS when the environment names no port. */
  async address(): Promise<string> {
    const { address } = await this.environment();
    return /:\d+$/.test(address) ? address : `${address}:443`;
  }

  async namespace(): Promise<string> {
    return this.#choices.namespace ?? ((await this.config.get(await this.namespaceName())) || defaultNamespace);
  }

  /** Under which name the config file keeps the namespace. */
  async namespaceName(): Promise<string> {
    return `namespaces.${await this.environmentName()}.current`;
  }

  /** Who signed in with `micro login`, where this session acts; undefined when nobody did. */
  async owner(): Promise<TokenOwner | undefined> {
    const account = await this.config.get(await this.#accountName());
    if (!account) return undefined;
    return { address: await this.address(), namespace: await this.namespace(), account };
  }

  async signIn(account: string, token: StoredToken): Promise<void> {
    await this.tokens.set({ address: await this.address(), namespace: await this.namespace(), account }, token);
    await this.config.set(await this.#accountName(), account);
    this.#token = undefined;
  }

  async signOut(): Promise<void> {
    const owner = await this.owner();
    if (owner === undefined) return;
    await this.tokens.delete(owner);
    await this.config.set(await this.#accountName(), "");
    this.#token = undefined;
  }

  /**
   * The access token that calls carry: that of `micro login`, renewed when it is about to end; else the one which a server on this machine
   * left for its user; else none.
   */
  token(): Promise<string | undefined> {
    this.#token ??= this.#findToken();
    return this.#token;
  }

  /** The next call looks for the token anew: it ends sooner than a command may run. */
  forgetToken(): void {
    this.#token = undefined;
  }

  /** Calls through the proxy of the environment, in its namespace, as the signed-in account. */
  rpc(): Promise<RpcClient> {
    this.#rpc ??= this.#open(() => this.#metadata());
    return this.#rpc;
  }

  /** A typed client of a core service. */
  async client<T extends GenServiceMethods>(descriptor: GenService<T>, service: string): Promise<ServiceClient<T>> {
    const { serviceClient } = await import("@microts/core/rpc/service-client");
    return serviceClient(descriptor, await this.rpc(), service);
  }

  /** Runs `use` with a typed client that sends no token, for signing in. */
  async anonymously<T extends GenServiceMethods, R>(
    descriptor: GenService<T>,
    service: string,
    use: (client: ServiceClient<T>) => Promise<R>,
  ): Promise<R> {
    const { serviceClient } = await import("@microts/core/rpc/service-client");
    const namespace = await this.namespace();
    await using rpc = await this.#open(async () => ({ [namespaceKey]: namespace }));
    return await use(serviceClient(descriptor, rpc, service));
  }

  async #open(metadata: () => Promise<Metadata>): Promise<RpcClient> {
    const { RpcClient } = await import("@microts/core/rpc/client");
    const address = await this.address();
    return new RpcClient({ resolve: () => address, metadata });
  }

  async #metadata(): Promise<Metadata> {
    const token = await this.token();
    const metadata = { [namespaceKey]: await this.namespace() };
    return token === undefined ? metadata : { ...metadata, [authorizationKey]: `Bearer ${token}` };
  }

  async #findToken(): Promise<string | undefined> {
    const owner = await this.owner();
    const stored = owner && (await this.tokens.get(owner));
    if (owner !== undefined && stored !== undefined) return this.#renewed(owner, stored);
    return (await readLocalCredentials(this.home, await this.address()))?.token;
  }

  async #renewed(owner: TokenOwner, stored: StoredToken): Promise<string | undefined> {
    if (Date.now() < stored.expiry.getTime() - renewBeforeMs) return stored.accessToken;
    try {
      const token = await this.#refresh(owner.namespace, stored.refreshToken);
      await this.tokens.set(owner, token);
      return token.accessToken;
    } catch (error) {
      if (!(error instanceof MicroError) || unreachableAddress(error) !== undefined) throw error;
      // A refresh token is good once: another micro command may have used it in this moment.
      const other = await this.tokens.get(owner);
      if (other !== undefined && other.refreshToken !== stored.refreshToken) return other.accessToken;
      this.#warn(
        `The login of ${owner.account} has ended (${error.detail}). Sign in again with: micro login, or forget it with: micro logout`,
      );
      return undefined;
    }
  }

  async #refresh(namespace: string, refreshToken: string): Promise<StoredToken> {
    const { Auth } = await import("@microts/proto/auth");
    const request = { refreshToken, tokenExpiry: tokenSeconds, options: { namespace } };
    const { token } = await this.anonymously(Auth, "auth", (auth) => auth.token(request));
    return storedToken(token);
  }

  async #accountName(): Promise<string> {
    return `${await this.environmentName()}.current-user`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const rpc = await this.#rpc?.catch(() => undefined);
    await rpc?.[Symbol.asyncDispose]();
  }
}

/** The token of an `Auth.Token` reply. Throws 500 when the server sent none. */
export function storedToken(
  token: { accessToken: string; refreshToken: string; created: bigint; expiry: bigint } | undefined,
): StoredToken {
  if (token === undefined || token.accessToken === "")
    throw MicroError.internal("micro", "the server answered without a token");
  const { accessToken, refreshToken, created, expiry } = token;
  return {
    accessToken,
    refreshToken,
    created: new Date(Number(created) * 1000),
    expiry: new Date(Number(expiry) * 1000),
  };
}
