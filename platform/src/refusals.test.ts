import { deepEqual, equal, match, ok, rejects } from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { authorizationKey, lineLog, MicroError, namespaceKey, readLocalCredentials } from "@microts/core";
import { RpcClient, serviceClient } from "@microts/core/rpc";
import { Accounts, Auth } from "@microts/proto/auth";
import { Config } from "@microts/proto/config";
import { until } from "../../testing/src/until.ts";
import { type Platform, parseSettings, startPlatform } from "./index.ts";
import { refusals } from "./refusals.ts";

const canary = "hunter2-of-the-canary";

describe("whoever may not read a secret (CF-08)", { timeout: 280_000 }, () => {
  let home: string;
  let platform: Platform;
  const lines: string[] = [];
  const said: string[] = [];

  before(async () => {
    home = await mkdtemp(join(tmpdir(), "micro-refusals-"));
    const names = ["API", "PROXY", "WEB", "NETWORK"].map((name) => [`MICRO_${name}_ADDRESS`, "127.0.0.1:0"]);
    const log = lineLog((line) => void lines.push(line), "info");
    platform = await startPlatform(parseSettings({ ...Object.fromEntries(names), MICRO_HOME: home }), log);
    await using admin = as(await adminToken());
    const set = { namespace: "acme", path: "mail.password", value: { data: JSON.stringify(canary) } };
    await serviceClient(Config, admin, "config").set({ ...set, options: { secret: true } });
  });
  after(async () => {
    await platform?.[Symbol.asyncDispose]();
    await rm(home, { recursive: true, force: true });
  });

  const adminToken = async () => (await readLocalCredentials(home, platform.addresses.proxy))?.token ?? "";
  const as = (token: string | undefined, namespace = "acme") =>
    new RpcClient({
      resolve: () => platform.addresses.proxy,
      metadata: () => ({
        [namespaceKey]: namespace,
        ...(token !== undefined && { [authorizationKey]: `Bearer ${token}` }),
      }),
    });

  /** The token of a new account. */
  const tokenOf = async (id: string, namespace: string, type: string, scopes: string[], seconds = 60) => {
    await using admin = as(await adminToken());
    const auth = serviceClient(Auth, admin, "auth");
    const options = { namespace };
    await auth.generate({ id, type, scopes, secret: `secret-of-${id}`, options });
    const { token } = await auth.token({ id, secret: `secret-of-${id}`, tokenExpiry: BigInt(seconds), options });
    return token?.accessToken ?? "";
  };

  /** Code of a refusal, over gRPC, and over HTTP, which has to be the same. */
  const refused = async (token: string | undefined, namespace = "acme"): Promise<number> => {
    await using rpc = as(token, namespace);
    const request = { namespace: "acme", path: "mail.password", options: { secret: true } };
    let code = 0;
    await rejects(serviceClient(Config, rpc, "config").get(request), (error: MicroError) => {
      said.push(JSON.stringify(error));
      code = error.code;
      return true;
    });
    const headers = { [namespaceKey]: namespace, ...(token !== undefined && { authorization: `Bearer ${token}` }) };
    const answer = await fetch(`http://${platform.addresses.api}/config/get`, {
      method: "POST",
      headers: { ...headers, "content-type": "application/json" },
      body: JSON.stringify(request),
    });
    said.push(await answer.text());
    equal(answer.status, code);
    return code;
  };
  /** The lines of the audit that `act` brings about. */
  const audited = async (act: () => Promise<unknown>) => {
    const begin = lines.length;
    await act();
    return lines.slice(begin).filter((line) => line.includes(" audit: "));
  };

  it("is refused and noted: nobody, a plain user, a service and an admin of another tenant", async () => {
    const denied = "audit: access to config was refused method=Get by=";
    const callers: [string | undefined, number, string][] = [
      [undefined, 401, `${denied}nobody namespace=acme path=mail.password`],
      [await tokenOf("jane", "acme", "user", []), 403, `${denied}"user \\"jane\\" of \\"acme\\"" namespace=acme`],
    ];
    for (const [token, code, line] of callers) {
      const noted = await audited(async () => equal(await refused(token), code));
      equal(noted.length, 2);
      for (const text of noted) ok(text.includes(line), text);
    }
    for (const [id, type, scope] of [
      ["spy", "service", "service"],
      ["boss", "user", "admin"],
    ] as const) {
      const token = await tokenOf(id, "rival", type, [scope]);
      // Under its own flag and under that of the tenant.
      for (const namespace of ["rival", "acme"]) {
        const noted = await audited(async () => equal(await refused(token, namespace), 403));
        equal(noted.length, 2);
        for (const text of noted) match(text, new RegExp(`refused .*${type} \\\\"${id}\\\\" of \\\\"rival`), text);
      }
    }
  });

  it("is refused and noted with a token that has expired, was forged or revoked", async () => {
    const token = await tokenOf("brief", "acme", "service", ["service"], 1);
    await until(
      async () => {
        await using rpc = as(token);
        return await serviceClient(Config, rpc, "config")
          .get({ path: "mail" })
          .then(
            () => 200,
            ({ code }: MicroError) => code,
          );
      },
      (code) => code === 401,
    );
    const revoked = await tokenOf("former", "acme", "service", ["service"]);
    await using admin = as(await adminToken());
    await serviceClient(Accounts, admin, "auth").delete({ id: "former", options: { namespace: "acme" } });
    const cases: [string, RegExp][] = [
      [revoked, /the token was revoked/],
      [token, /the token of service .*brief.* of .*acme.* has expired/],
      [`${token.slice(0, -10)}AAAAAAAAAA`, /invalid token/],
    ];
    for (const [bearer, reason] of cases) {
      const noted = await audited(async () => equal(await refused(bearer), 401));
      equal(noted.length, 2);
      for (const text of noted) match(text, /audit: a caller was refused service=config endpoint=Config\.Get /i);
      for (const text of noted) match(text, reason);
    }
  });

  it("writes few lines however many come with a bad token, and how many there were", async () => {
    const written: string[] = [];
    const log = lineLog((line) => void written.push(line), "info");
    const refused = refusals(log, 50);
    for (let i = 0; i < 500; i++) refused("config", `Config.Made${i}`, MicroError.unauthorized("x", "invalid token"));
    equal(written.length, 10);
    await until(
      async () => written.at(-1) ?? "",
      (line) => /audit: more callers were refused callers=490 seconds=0.05 reason="invalid token"/.test(line),
    );
    equal(written.length, 11);
  });

  it("is shown the mask and never the secret, wherever it is not asked for in clear", async () => {
    await using admin = as(await adminToken());
    const config = serviceClient(Config, admin, "config");
    const masked = '{"mail":{"password":"[secret]"}}';
    equal((await config.get({ namespace: "acme", path: "" })).value?.data, masked);
    equal((await config.read({ namespace: "acme", path: "" })).change?.changeSet?.data, masked);
    for await (const { value } of config.watch({ namespace: "acme", path: "" })) {
      equal(value?.data, masked);
      break;
    }
    const shown = await config.get({ namespace: "acme", path: "mail.password", options: { secret: true } });
    equal(shown.value?.data, JSON.stringify(canary));
    deepEqual(
      [...said, ...lines].filter((text) => text.includes(canary)),
      [],
    );
  });
});
