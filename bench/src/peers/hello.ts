import { fileURLToPath } from "node:url";

/** The service behind the gateways. */
export const helloworldFolder: string = fileURLToPath(new URL("../../../examples/helloworld", import.meta.url));

/** What the gateway rows ask, and what every contender answers. */
export const helloRequests = {
  GET: { path: "/helloworld/call?name=Jane", body: undefined },
  POST: { path: "/helloworld/call", body: '{"name":"Jane"}' },
} as const;

export const helloAnswer = '{"msg":"Hello Jane"}';
