// gRPC's own implementation for Node.js asking our server for its health.
import { deepEqual, equal, match } from "node:assert/strict";
import { once } from "node:events";
import { afterEach, beforeEach, describe, it } from "node:test";
import * as grpc from "@grpc/grpc-js";
import { Health as HealthService, HealthCheckResponse_ServingStatus as Status } from "@microts/proto/grpc/health/v1";
import {
  endOf,
  partsOf,
  type ServedStandard,
  serveStandard,
  unaryCall,
} from "../../../../testing/src/standard-services.ts";
import { Health } from "./index.ts";

const { check, list, watch } = HealthService.method;

describe("grpc.health.v1.Health", () => {
  let health: Health;
  let served: ServedStandard;
  beforeEach(async () => {
    health = new Health();
    served = await serveStandard({ health, services: () => [] });
  });
  afterEach(async () => {
    await served[Symbol.asyncDispose]();
  });
  const ask = async (service: string) => (await unaryCall(served.client, check, { service })).status;
  const watching = (service: string) => {
    const replies = served.client.makeServerStreamRequest(...partsOf(watch), { service });
    replies.on("error", () => {});
    return { replies, next: async () => (await once(replies, "data"))[0].status };
  };

  it("says that the server serves, and which of its services do", async () => {
    health.set("up", true);
    health.set("down", false);
    deepEqual(
      [await ask(""), await ask("up"), await ask("down")],
      [Status.SERVING, Status.SERVING, Status.NOT_SERVING],
    );
  });

  it("answers Check for an unknown service with NOT_FOUND", async () => {
    const error = await ask("nobody").catch((reason: grpc.ServiceError) => reason);
    equal((error as grpc.ServiceError).code, grpc.status.NOT_FOUND);
    match((error as grpc.ServiceError).details, /unknown service \\"nobody\\"/);
  });

  it("lists every service with its status", async () => {
    health.set("down", false);
    const { statuses } = await unaryCall(served.client, list, {});
    deepEqual(
      Object.entries(statuses).map(([name, { status }]) => [name, status]),
      [
        ["", Status.SERVING],
        ["down", Status.NOT_SERVING],
      ],
    );
  });

  it("lists at most 100, and says RESOURCE_EXHAUSTED past that", async () => {
    for (let n = 1; n < 100; n++) health.set(`service-${n}`, true);
    equal(Object.keys((await unaryCall(served.client, list, {})).statuses).length, 100);
    health.set("one-more", true);
    const error = await unaryCall(served.client, list, {}).catch((reason: grpc.ServiceError) => reason);
    equal((error as grpc.ServiceError).code, grpc.status.RESOURCE_EXHAUSTED);
  });

  it("tells a watcher the status now and each change, a repeated one not", async () => {
    const { replies, next } = watching("");
    equal(await next(), Status.SERVING);
    health.set("", true);
    health.set("", false);
    equal(await next(), Status.NOT_SERVING);
    health.set("", true);
    equal(await next(), Status.SERVING);
    replies.cancel();
  });

  it("tells a watcher of an unknown service so, and goes on when it becomes known", async () => {
    const { replies, next } = watching("later");
    equal(await next(), Status.SERVICE_UNKNOWN);
    health.set("later", true);
    equal(await next(), Status.SERVING);
    replies.cancel();
  });

  it("says NOT_SERVING of everything once shut down, whatever is set later", async () => {
    health.set("up", true);
    const [all, up] = [watching(""), watching("up")];
    deepEqual([await all.next(), await up.next()], [Status.SERVING, Status.SERVING]);
    health.shutDown();
    deepEqual([await all.next(), await up.next()], [Status.NOT_SERVING, Status.NOT_SERVING]);
    health.set("up", true);
    deepEqual([await ask(""), await ask("up")], [Status.NOT_SERVING, Status.NOT_SERVING]);
    const late = watching("up");
    equal(await late.next(), Status.NOT_SERVING);
  });

  it("ends a watch with UNAVAILABLE after the last word of a server that stops", { timeout: 280_000 }, async () => {
    const { replies, next } = watching("");
    await next();
    health.shutDown();
    equal(await next(), Status.NOT_SERVING);
    equal((await endOf(replies)).code, grpc.status.UNAVAILABLE);
  });

  it("is done with a watcher that goes away", { timeout: 280_000 }, async () => {
    const { replies, next } = watching("");
    await next();
    replies.cancel();
    await served.idle();
  });
});
