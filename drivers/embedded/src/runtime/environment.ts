/** What a process of a service is told about itself. */
export interface ServiceEnvironment {
  readonly name: string;
  readonly version: string;
  readonly namespace: string;
  readonly nodeId: string;
  /** Where the process reaches the platform. */
  readonly proxyAddress: string;
  readonly credentials: { readonly id: string; readonly secret: string };
  /** PEM in base64: verifies tokens. */
  readonly publicKey: string;
  readonly home: string;
  readonly tmp: string;
  /** The user's own. */
  readonly env: Readonly<Record<string, string>>;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** Where commands are found when the server has no PATH of its own. */
const standardPath = "/usr/local/bin:/usr/bin:/bin";

/** The whole environment of a service process (wire §7). Of the server's own environment only PATH, TZ and LANG are in it. */
export function serviceEnvironment(service: ServiceEnvironment, server: Environment): Record<string, string> {
  return {
    ...hostEnvironment(server),
    HOME: service.home,
    TMPDIR: service.tmp,
    ...service.env,
    MICRO_PROFILE: "service",
    MICRO_SERVICE_NAME: service.name,
    MICRO_SERVICE_VERSION: service.version,
    MICRO_SERVICE_NODE_ID: service.nodeId,
    MICRO_NAMESPACE: service.namespace,
    MICRO_PROXY: service.proxyAddress,
    MICRO_AUTH_ID: service.credentials.id,
    MICRO_AUTH_SECRET: service.credentials.secret,
    MICRO_AUTH_PUBLIC_KEY: service.publicKey,
  };
}

/** What any child of the server may know of its environment: PATH, and TZ and LANG when they are set. */
export function hostEnvironment(server: Environment): Record<string, string> {
  const { PATH = standardPath, TZ, LANG } = server;
  return { PATH, ...(TZ !== undefined && { TZ }), ...(LANG !== undefined && { LANG }) };
}
