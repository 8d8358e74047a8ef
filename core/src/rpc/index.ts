export { type Address, formatAddress, parseAddress } from "./address.ts";
export { type CallOptions, defaultTimeoutMs, pathOf, RpcClient, type RpcClientOptions } from "./client.ts";
export { Connections, type ConnectionsOptions } from "./connections.ts";
export { contentTypes, formatOf } from "./content-type.ts";
export { deadlineSignal } from "./deadline.ts";
export { defaultMaxMessageBytes } from "./defaults.ts";
export { forward } from "./forward.ts";
export type { KeepaliveOptions } from "./http2/keepalive.ts";
export { defaultLimits, type Limits } from "./http2/limits.ts";
export { type ListenOptions, listen } from "./listen.ts";
export { type CallContext, type Handlers, type Method, type MethodKind, methodsOf } from "./method.ts";
export { mapped, Pull } from "./pull.ts";
export type { MetadataChanges } from "./raw-forward.ts";
export { type CallPath, findMethod, parsePath, type ServeOptions, serveMethod } from "./serve.ts";
export { openStream, type ServiceClient, serviceClient } from "./service-client.ts";
export { errorOf, statusOf } from "./status.ts";
export {
  type CallHandler,
  type CallStart,
  type ClientCall,
  type Listener,
  type SendOptions,
  type ServerCall,
  type Status,
  StatusError,
} from "./transport.ts";
