/** The call that every contender of a gRPC row answers: the message comes back. No codec on any side. */
export const echoService = "echo";
export const echoEndpoint = "Echo.Call";
export const echoPath = "/echo.Echo/Call";

export const downEndpoint = "Echo.Down";
export const downPath = "/echo.Echo/Down";
export const upEndpoint = "Echo.Up";
export const upPath = "/echo.Echo/Up";
export const tickEndpoint = "Echo.Tick";
/** What a quiet stream carries. */
export const tickMessage: Buffer = Buffer.alloc(100, "t");
/** What a busy stream carries. */
export const streamMessage: Buffer = Buffer.alloc(1024, "x");

export const echoMessage: Buffer = Buffer.from("a small message of some 40 bytes or so..");

/** Fails unless a streamed message is whole. */
export function checkStreamed(message: Uint8Array): void {
  if (message.length !== streamMessage.length || message[1023] !== streamMessage[1023])
    throw new Error(`a wrong message of ${message.length} bytes`);
}

/** What `Up` answers: how many messages came. */
export function countReply(count: number): Buffer {
  const reply = Buffer.alloc(4);
  reply.writeUInt32BE(count);
  return reply;
}

/** Fails unless `Up` has counted all that was sent. */
export function checkCount(reply: Uint8Array, sent: number): void {
  const counted = Buffer.from(reply).readUInt32BE();
  if (counted !== sent) throw new Error(`${sent} messages were sent and ${counted} have come`);
}

/** Fails unless the reply is the message. */
export function checkEcho(reply: Uint8Array): void {
  if (!echoMessage.equals(reply)) throw new Error(`a wrong reply: ${Buffer.from(reply).toString()}`);
}
