/** The practical limit of a gateway on `node:http`: reads the query or the JSON and answers by itself. No rules, no log, no service behind. */
import { createServer } from "node:http";
import { listenAndAnnounce } from "../announce.ts";
import { answerJson, readName } from "./http-request.ts";

export const httpEchoFile = import.meta.filename;

if (import.meta.main) {
  const server = createServer(async (request, response) => {
    answerJson(response, JSON.stringify({ msg: `Hello ${await readName(request)}` }));
  });
  listenAndAnnounce(server);
}
