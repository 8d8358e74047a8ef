import type { IncomingMessage, ServerResponse } from "node:http";

/** What a gateway written by hand reads: the query of a GET, else the JSON body. */
export async function readName(request: IncomingMessage): Promise<string> {
  if (request.method === "GET") {
    const { searchParams } = new URL(request.url ?? "/", "http://localhost");
    return searchParams.get("name") ?? "";
  }
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part as Buffer);
  return (JSON.parse(Buffer.concat(parts).toString()) as { name: string }).name;
}

export function answerJson(response: ServerResponse, body: string | Buffer): void {
  response.writeHead(200, { "Content-Type": "application/json", "Content-Length": Buffer.byteLength(body) });
  response.end(body);
}
