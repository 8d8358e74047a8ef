/**
 * A gateway as one writes it by hand: `node:http` in front of a grpc-js client, which calls the grpc-js server whose address is the first
 * argument. No rules, no log, no schema.
 */
import { createServer } from "node:http";
import { listenAndAnnounce } from "../announce.ts";
import { connectGrpcJs } from "./grpc-js.ts";
import { answerJson, readName } from "./http-request.ts";

export const httpGrpcJsFile = import.meta.filename;

if (import.meta.main) {
  const client = connectGrpcJs(process.argv[2] ?? "");
  const server = createServer(async (request, response) => {
    const message = Buffer.from(JSON.stringify({ msg: `Hello ${await readName(request)}` }));
    answerJson(response, await client.call(message));
  });
  listenAndAnnounce(server);
}
