/** The call that every contender of a gRPC row answers: the message comes back. No codec on any side. */
export const echoService = "echo";
export const echoEndpoint = "Echo.Call";
export const echoPath = "/echo.Echo/Call";

export const echoMessage: Buffer = Buffer.from("a small message of some 40 bytes or so..");

/** Fails unless the reply is the message. */
export function checkEcho(reply: Uint8Array): void {
  if (!echoMessage.equals(reply)) throw new Error(`a wrong reply: ${Buffer.from(reply).toString()}`);
}
