export {
  type Account,
  defaultNamespace,
  describe,
  isAdmin,
  isMember,
  requireAccount,
  requireAdmin,
  requireMember,
} from "./account.ts";
export {
  codeOfGrpcStatus,
  type ErrorBody,
  type ErrorCode,
  GrpcStatus,
  grpcStatusOf,
  isErrorCode,
  MicroError,
} from "./errors.ts";
export {
  credentialsPath,
  homeDir,
  type LocalCredentials,
  readLocalCredentials,
  removeLocalCredentials,
  writeLocalCredentials,
} from "./home.ts";
export { accountOf, signToken, type TokenClaims, verifyToken } from "./jwt.ts";
export { LineLimit } from "./line-limit.ts";
export { type Log, type LogFields, type LogLevel, lineLog, logLevels, silent } from "./log.ts";
export {
  authorizationKey,
  isMetadataKey,
  isReservedKey,
  type Metadata,
  metadataFrom,
  namespaceKey,
} from "./metadata.ts";
export { checkNamespace } from "./namespace.ts";
export { isOrigin } from "./origin.ts";
export { coreServices, platformNames } from "./platform-names.ts";
export { TokenVerifier, tokenOf } from "./verifier.ts";
