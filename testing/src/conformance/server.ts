// The server that connectconformance judges: reads what it is to be from standard input, listens, says where, and answers until it is stopped.
import { listen } from "@microts/core/rpc";
import {
  ServerCompatRequestSchema,
  ServerCompatResponseSchema,
} from "../../gen/connectrpc/conformance/v1/server_compat_pb.ts";
import { readFrames, writeFrame } from "./frames.ts";
import { answerConformance } from "./service.ts";

const { value: wanted } = await readFrames(ServerCompatRequestSchema, process.stdin).next();
if (wanted === undefined) throw new Error("connectconformance said nothing about the server it wants");
const { useTls, serverCreds, clientTlsCert, messageReceiveLimit } = wanted;
const listener = await listen(answerConformance, {
  address: "127.0.0.1:0",
  ...(messageReceiveLimit > 0 && { maxMessageBytes: messageReceiveLimit }),
  ...(useTls &&
    serverCreds && {
      tls: {
        cert: Buffer.from(serverCreds.cert),
        key: Buffer.from(serverCreds.key),
        ...(clientTlsCert.length > 0 && {
          ca: Buffer.from(clientTlsCert),
          requestCert: true,
          rejectUnauthorized: true,
        }),
      },
    }),
});
const where = { host: "127.0.0.1", port: listener.port, ...(useTls && serverCreds && { pemCert: serverCreds.cert }) };
writeFrame(ServerCompatResponseSchema, where, process.stdout);
process.once("SIGTERM", () => void listener.close(0).then(() => process.exit(0)));
