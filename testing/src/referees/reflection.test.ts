// grpcurl and buf curl find out by reflection what a server has, and call it.
import { deepEqual, equal, match, ok, rejects } from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { promisify } from "node:util";
import { readLocalCredentials, silent } from "@microts/core";
import { methodsOf } from "@microts/core/rpc";
import { Health } from "@microts/core/rpc/services";
import { type Platform, parseSettings, startPlatform } from "@microts/platform";
import { z } from "zod";
import { endpoint } from "../../../framework/src/endpoint.ts";
import { bindEndpoint } from "../../../framework/src/methods.ts";
import { describeService } from "../../../framework/src/schema/descriptor.ts";
import { Dep } from "../../../proto/gen/test/dep/dep_pb.ts";
import { depHandlers } from "../dep.ts";
import { type ServedStandard, serveStandard } from "../standard-services.ts";
import { referee } from "./referee.ts";

const grpcurl = referee("grpcurl");
const buf = referee("buf");
const execute = promisify(execFile);

const standard = [
  "grpc.health.v1.Health",
  "grpc.reflection.v1.ServerReflection",
  "grpc.reflection.v1alpha.ServerReflection",
];

interface Client {
  readonly name: string;
  readonly skip: string | false;
  list(address: string, token?: string): Promise<string[]>;
  call(address: string, method: string, request: unknown, token?: string): Promise<unknown>;
}

const bearer = (flag: string, token: string | undefined) =>
  token === undefined ? [] : [flag, `authorization: Bearer ${token}`];

/** The home folder of the programs and of the platform: buf keeps a cache there. */
const home = await mkdtemp(join(tmpdir(), "micro-reflection-"));
after(() => rm(home, { recursive: true, force: true }));

async function run(path: string, args: readonly string[]): Promise<string> {
  return (await execute(path, [...args], { timeout: 60_000, env: { HOME: home } })).stdout;
}

const lines = (text: string) => text.trim().split("\n");

const clients: Client[] = [
  {
    name: "grpcurl",
    skip: grpcurl.skip,
    list: async (address, token) =>
      lines(await run(grpcurl.path, ["-plaintext", ...bearer("-H", token), address, "list"])),
    call: async (address, method, request, token) => {
      const data = ["-d", JSON.stringify(request)];
      return JSON.parse(await run(grpcurl.path, ["-plaintext", ...bearer("-H", token), ...data, address, method]));
    },
  },
  ...["grpc-v1", "grpc-v1alpha"].map((version): Client => {
    const common = ["curl", "--protocol", "grpc", "--http2-prior-knowledge", "--reflect-protocol", version];
    const tokens = (token: string | undefined) => [...bearer("--reflect-header", token), ...bearer("--header", token)];
    return {
      name: `buf curl by ${version}`,
      skip: buf.skip,
      list: async (address, token) =>
        lines(await run(buf.path, [...common, ...tokens(token), "--list-services", `http://${address}`])),
      call: async (address, method, request, token) => {
        const data = ["--data", JSON.stringify(request)];
        return JSON.parse(await run(buf.path, [...common, ...tokens(token), ...data, `http://${address}/${method}`]));
      },
    };
  }),
];

/** What JSON may call a property, and protobuf may not or only once. */
const odd = z.object({
  "user-email": z.string(),
  "2nd": z.string(),
  user_id: z.string().optional(),
  userId: z.string(),
  tags: z.record(z.string(), z.string()),
  TagsEntry: z.object({ x: z.int32().optional() }),
  any: z.unknown(),
});
const oddValue = {
  "user-email": "a",
  "2nd": "b",
  userId: "c",
  tags: { k: "v" },
  TagsEntry: { x: 0 },
  any: [1, { deep: null }],
};

for (const client of clients) {
  describe(client.name, { skip: client.skip }, () => {
    let served: ServedStandard;
    before(async () => {
      const bound = bindEndpoint(
        "my-kit",
        "Kit.Echo",
        endpoint({ input: odd, output: odd, handler: (value) => value }),
        silent,
      );
      const { method, messages } = bound;
      ok(messages !== undefined);
      served = await serveStandard(
        {
          health: new Health(),
          services: () => [Dep, ...describeService("my-kit", [{ name: method.name, kind: method.kind, ...messages }])],
        },
        [...methodsOf(Dep, depHandlers), method],
      );
    });
    after(async () => {
      await served[Symbol.asyncDispose]();
    });

    it("lists the services of a server", async () => {
      deepEqual(await client.list(served.address), [...standard, "my_kit.Kit", "service.dep.Dep"]);
    });

    it("calls a service that was written with a .proto file", async () => {
      deepEqual(await client.call(served.address, "service.dep.Dep/Call", { name: "you" }), { msg: "Hello you" });
    });

    it("calls a service that was written with schemas", async () => {
      deepEqual(await client.call(served.address, "my_kit.Kit/Echo", oddValue), oddValue);
    });

    it("asks for the server's health", async () => {
      deepEqual(await client.call(served.address, "grpc.health.v1.Health/Check", {}), { status: "SERVING" });
    });
  });
}

describe("grpcurl before a server that has the older reflection alone", { skip: grpcurl.skip }, () => {
  it("lists and calls its services", async () => {
    await using served = await serveStandard(
      { health: new Health(), services: () => [Dep] },
      methodsOf(Dep, depHandlers),
      ["grpc.reflection.v1"],
    );
    const [client] = clients;
    ok(client !== undefined);
    deepEqual(await client.list(served.address), [...standard, "service.dep.Dep"]);
    deepEqual(await client.call(served.address, "service.dep.Dep/Call", { name: "you" }), { msg: "Hello you" });
  });
});

describe("the platform's proxy", { skip: grpcurl.skip || buf.skip }, () => {
  let platform: Platform;
  before(async () => {
    const ports = ["API", "PROXY", "WEB", "NETWORK"].map((name) => [`MICRO_${name}_ADDRESS`, "127.0.0.1:0"]);
    platform = await startPlatform(parseSettings({ ...Object.fromEntries(ports), MICRO_HOME: home }));
  });
  after(async () => {
    await platform?.[Symbol.asyncDispose]();
  });

  for (const client of clients) {
    it(`shows its services to ${client.name} with a token, and lets it call them`, async () => {
      const { proxy } = platform.addresses;
      const token = (await readLocalCredentials(home, proxy))?.token;
      ok(token !== undefined);
      await rejects(client.list(proxy), /authenticated/i);
      const names = await client.list(proxy, token);
      ok(names.includes("store.Store"), names.join());
      const record = { key: "k", value: Buffer.from("v").toString("base64") };
      await client.call(proxy, "store.Store/Write", { record }, token);
      const { records } = (await client.call(proxy, "store.Store/Read", { key: "k" }, token)) as { records: unknown[] };
      equal(records.length, 1);
      match(JSON.stringify(records[0]), /"key":"k"/);
    });
  }
});
