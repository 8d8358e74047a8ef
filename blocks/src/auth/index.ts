export {
  type AccountRequest,
  Auth,
  type AuthCallOptions,
  type AuthOptions,
  type Credentials,
  type TokenCallOptions,
} from "./auth.ts";
export type { AuthDriver, NewAccount, Resource, Rule, Token } from "./driver.ts";
export { RemoteAuth } from "./remote.ts";
export { type Decision, decide } from "./rules.ts";
export { authMethods } from "./service.ts";
