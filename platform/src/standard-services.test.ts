// gRPC's own implementation for Node.js asking the platform's ports what gRPC's tools ask any server.
import { deepEqual, equal, ok } from "node:assert/strict";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import * as grpc from "@grpc/grpc-js";
import { readLocalCredentials } from "@microts/core";
import { Health, HealthCheckResponse_ServingStatus as Status } from "@microts/proto/grpc/health/v1";
import * as v1 from "@microts/proto/grpc/reflection/v1";
import * as v1alpha from "@microts/proto/grpc/reflection/v1alpha";
import { LoopClock } from "../../testing/src/loop-clock.ts";
import { endOf, partsOf, unaryCall } from "../../testing/src/standard-services.ts";
import { type Platform, parseSettings, startPlatform } from "./index.ts";

describe("gRPC's standard services of the platform", () => {
  let home: string;
  let platform: Platform;
  let clients: grpc.Client[];
  before(async () => {
    home = await mkdtemp(join(tmpdir(), "micro-standard-"));
    const ports = ["API", "PROXY", "WEB", "NETWORK"].map((name) => [`MICRO_${name}_ADDRESS`, "127.0.0.1:0"]);
    platform = await startPlatform(parseSettings({ ...Object.fromEntries(ports), MICRO_HOME: home }));
    const { proxy, network } = platform.addresses;
    clients = [proxy, network].map((address) => new grpc.Client(address, grpc.credentials.createInsecure()));
  });
  after(async () => {
    for (const client of clients ?? []) client.close();
    await platform?.[Symbol.asyncDispose]();
    await rm(home, { recursive: true, force: true });
  });

  const token = async () => (await readLocalCredentials(home, platform.addresses.proxy))?.token ?? "";
  const services = async (client: grpc.Client, { ServerReflection }: typeof v1, authorization?: string) => {
    const metadata = new grpc.Metadata();
    if (authorization !== undefined) metadata.set("authorization", authorization);
    const talk = client.makeBidiStreamRequest(...partsOf(ServerReflection.method.serverReflectionInfo), metadata);
    const status = endOf(talk);
    talk.end({ host: "", messageRequest: { case: "listServices", value: "" } });
    const answers = await talk.toArray().catch(() => []);
    const { code } = await status;
    if (code !== grpc.status.OK) return code;
    ok(answers[0]?.messageResponse.case === "listServicesResponse");
    return answers[0].messageResponse.value.service.map(({ name }: { name: string }) => name) as string[];
  };

  it("say without an account that the server and each of its services can be called", async () => {
    for (const client of clients) {
      for (const service of ["", "store", "store.Store"]) {
        const { status } = await unaryCall(client, Health.method.check, { service });
        equal(status, Status.SERVING);
      }
    }
  });

  it("reflect to accounts only", async () => {
    for (const client of clients) {
      for (const version of [v1, v1alpha as unknown as typeof v1]) {
        equal(await services(client, version), grpc.status.UNAUTHENTICATED);
        equal(await services(client, version, "Bearer nonsense"), grpc.status.UNAUTHENTICATED);
        const names = await services(client, version, `Bearer ${await token()}`);
        ok(Array.isArray(names) && names.includes("store.Store"), String(names));
      }
    }
  });

  it("reflect the services that can be called by these names, and those alone", async () => {
    const [proxy] = clients;
    ok(proxy !== undefined);
    deepEqual(await services(proxy, v1, `Bearer ${await token()}`), [
      "api.Api",
      "auth.Accounts",
      "auth.Auth",
      "auth.Rules",
      "broker.Broker",
      "config.Config",
      "events.Store",
      "events.Stream",
      "grpc.health.v1.Health",
      "grpc.reflection.v1.ServerReflection",
      "grpc.reflection.v1alpha.ServerReflection",
      "network.Network",
      "registry.Registry",
      "runtime.Build",
      "runtime.Runtime",
      "runtime.Source",
      "store.BlobStore",
      "store.Store",
    ]);
  });

  it("tell watchers that the server stops, and don't hold up the stop", { timeout: 280_000 }, async () => {
    const [proxy] = clients;
    const watch = proxy?.makeServerStreamRequest(...partsOf(Health.method.watch), { service: "" });
    ok(watch !== undefined);
    equal((await once(watch, "data"))[0].status, Status.SERVING);
    const over = endOf(watch);
    const told = once(watch, "data");
    using clock = new LoopClock();
    await platform[Symbol.asyncDispose]();
    ok(clock.ms < 2_500, `the stop took ${clock.ms} ms`);
    equal((await told)[0].status, Status.NOT_SERVING);
    equal((await over).code, grpc.status.UNAVAILABLE);
  });
});
