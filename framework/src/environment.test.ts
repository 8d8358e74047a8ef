import { deepEqual, equal, throws } from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { describe, it } from "node:test";
import { readEnvironment } from "./environment.ts";

const pem = generateKeyPairSync("rsa", { modulusLength: 2048 }).publicKey.export({ type: "spki", format: "pem" });

describe("readEnvironment", () => {
  it("has a default for everything", () => {
    deepEqual(readEnvironment({ HOME: "/home/jane" }), {
      name: undefined,
      version: undefined,
      address: "127.0.0.1:0",
      nodeId: undefined,
      proxy: "127.0.0.1:8081",
      namespace: "micro",
      credentials: undefined,
      publicKey: undefined,
      home: "/home/jane/.micro",
      logLevel: "info",
    });
  });

  it("takes what the runtime sets (wire §7)", () => {
    const env = readEnvironment({
      MICRO_SERVICE_NAME: "hello",
      MICRO_SERVICE_VERSION: "v2",
      MICRO_SERVICE_ADDRESS: ":9090",
      MICRO_SERVICE_NODE_ID: "hello-1",
      MICRO_PROXY: "127.0.0.1:8443",
      MICRO_NAMESPACE: "acme",
      MICRO_AUTH_ID: "hello-v2",
      MICRO_AUTH_SECRET: "s",
      MICRO_LOG_LEVEL: "debug",
      MICRO_HOME: "/m",
    });
    deepEqual(env, {
      name: "hello",
      version: "v2",
      address: ":9090",
      nodeId: "hello-1",
      proxy: "127.0.0.1:8443",
      namespace: "acme",
      credentials: { id: "hello-v2", secret: "s" },
      publicKey: undefined,
      home: "/m",
      logLevel: "debug",
    });
  });

  it("takes the public key as PEM and in base64", () => {
    equal(readEnvironment({ MICRO_AUTH_PUBLIC_KEY: String(pem) }).publicKey, pem);
    equal(readEnvironment({ MICRO_AUTH_PUBLIC_KEY: Buffer.from(pem).toString("base64") }).publicKey, pem);
  });

  it("names every mistake at once", () => {
    const env = {
      MICRO_LOG_LEVEL: "loud",
      MICRO_AUTH_ID: "x",
      MICRO_AUTH_PUBLIC_KEY: "nonsense",
      MICRO_PROXY: "no address",
      MICRO_SERVICE_ADDRESS: "x:y",
      MICRO_NAMESPACE: "Not One",
    };
    throws(
      () => readEnvironment(env),
      (error: { code: number; detail: string }) => {
        equal(error.code, 400);
        for (const name of Object.keys(env)) equal(error.detail.includes(name), true, `${name} in ${error.detail}`);
        return true;
      },
    );
  });

  it("never shows a secret", () => {
    throws(
      () => readEnvironment({ MICRO_AUTH_SECRET: "hunter2" }),
      (error: Error) => error.message.includes("MICRO_AUTH_ID") && !error.message.includes("hunter2"),
    );
    throws(() => readEnvironment({ MICRO_AUTH_PUBLIC_KEY: "-----BEGIN PUBLIC KEY-----\nx" }), { detail: /is damaged/ });
  });
});
