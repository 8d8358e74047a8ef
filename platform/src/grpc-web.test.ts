import { equal, match, ok } from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { readLocalCredentials } from "@microts/core";
import { webCall } from "../../testing/src/grpc-web.ts";
import { type Platform, parseSettings, startPlatform } from "./index.ts";

const page = "https://app.example.com";

describe("gRPC-Web on the platform's ports", () => {
  let home: string;
  let platform: Platform;
  before(async () => {
    home = await mkdtemp(join(tmpdir(), "micro-grpc-web-"));
    const ports = ["API", "PROXY", "WEB", "NETWORK"].map((name) => [`MICRO_${name}_ADDRESS`, "127.0.0.1:0"]);
    const env = { ...Object.fromEntries(ports), MICRO_HOME: home, MICRO_PROXY_CORS_ORIGINS: page };
    platform = await startPlatform(parseSettings(env));
  });
  after(async () => {
    await platform?.[Symbol.asyncDispose]();
    await rm(home, { recursive: true, force: true });
  });

  const list = async (address: string, headers: Record<string, string>) =>
    await webCall("HTTP/1.1", address, {
      path: "/registry.Registry/ListServices",
      contentType: "application/grpc-web+json",
      messages: [Buffer.from("{}")],
      headers: { origin: page, ...headers },
    });

  it("lets a page of MICRO_PROXY_CORS_ORIGINS call with a token, and nobody by a cookie", async () => {
    const { proxy } = platform.addresses;
    const token = (await readLocalCredentials(home, proxy))?.token ?? "";
    const answer = await list(proxy, { authorization: `Bearer ${token}` });
    equal(answer.headers["access-control-allow-origin"], page);
    equal(answer.trailers?.["grpc-status"], "0");
    ok(Array.isArray(JSON.parse(String(answer.messages[0])).services));
    const byCookie = await list(proxy, { cookie: `micro-token=${token}` });
    equal(byCookie.headers["grpc-status"], "16");
  });

  it("doesn't take pages on the port of this machine's services", async () => {
    const answer = await list(platform.addresses.network, {});
    equal(answer.status, 415);
    equal(answer.headers["access-control-allow-origin"], undefined);
    match(String(answer.body), /doesn't take gRPC-Web/);
  });
});
