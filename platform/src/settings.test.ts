import { equal, ok, throws } from "node:assert/strict";
import { describe, it } from "node:test";
import { parseSettings } from "./settings.ts";

describe("parseSettings", () => {
  it("has the ports of Micro on the loopback address, and everything under the home", () => {
    const settings = parseSettings({ HOME: "/home/jane" });
    equal(settings.apiAddress, "127.0.0.1:8080");
    equal(settings.proxyAddress, "127.0.0.1:8081");
    equal(settings.webAddress, "127.0.0.1:8082");
    equal(settings.networkAddress, "127.0.0.1:8443");
    equal(settings.dataDir, "/home/jane/.micro/server");
    equal(settings.adminPassword, undefined);
  });

  it("lets flags win over the environment", () => {
    const env = { HOME: "/h", MICRO_API_ADDRESS: "127.0.0.1:1", MICRO_DATA_DIR: "/a" };
    const settings = parseSettings(env, { api_address: "127.0.0.1:2" });
    equal(settings.apiAddress, "127.0.0.1:2");
    equal(settings.dataDir, "/a");
  });

  it("takes a bare port as one of this machine", () => {
    equal(parseSettings({ HOME: "/h", MICRO_API_ADDRESS: ":9000" }).apiAddress, "127.0.0.1:9000");
  });

  it("takes the origins of pages that may call the proxy, each as a browser writes it", () => {
    const of = (text: string) =>
      parseSettings({ HOME: "/h", MICRO_PROXY_CORS_ORIGINS: text }).proxyCorsOrigins.join(" ");
    equal(of(" https://a.example.com, http://localhost:5173,"), "https://a.example.com http://localhost:5173");
    equal(of("*"), "*");
    equal(of(""), "");
    for (const wrong of ["app.example.com", "https://app.example.com/", "https://*.example.com", "null"])
      throws(() => of(`https://a.example.com,${wrong}`), { code: 400, message: /MICRO_PROXY_CORS_ORIGINS has "/ });
  });

  it("reports every mistake at once", () => {
    const env = { HOME: "/h", MICRO_LOG_LEVEL: "loud", MICRO_API_ADDRESS: "here", MICRO_API_CORS_ORIGINS: "" };
    throws(() => parseSettings({ ...env, MICRO_PROXY_ADDRESS: "a:b:c" }), {
      code: 400,
      message: /MICRO_LOG_LEVEL is "loud".*MICRO_API_ADDRESS is "here".*MICRO_PROXY_ADDRESS is "a:b:c"/,
    });
  });

  it("never repeats a secret", () => {
    const { configKeys } = parseSettings({ HOME: "/h", MICRO_CONFIG_SECRET_KEY: "c2VjcmV0" });
    ok(configKeys !== undefined && "problem" in configKeys && !configKeys.problem.includes("c2VjcmV0"));
  });
});
