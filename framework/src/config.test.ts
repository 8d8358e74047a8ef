import { deepEqual, equal, ok, rejects } from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { type Platform, parseSettings, startPlatform } from "@microts/platform";
import { z } from "zod";
import { keptAddress } from "../../testing/src/kept-address.ts";
import { until } from "../../testing/src/until.ts";
import { config, type MicroError, type Schema } from "./index.ts";

const Mail = z.object({
  host: z.string(),
  port: z.int().min(1).default(25),
  mode: z.enum(["tls", "plain"]).optional(),
  to: z.array(z.object({ name: z.string() })).optional(),
});

/** A validator without JSON Schema, which shows values in its messages. */
const even: Schema<unknown, number> = {
  "~standard": {
    version: 1,
    vendor: "hand",
    validate: (value) =>
      typeof value === "number" && value % 2 === 0 ? { value } : { issues: [{ message: `${value} is not even` }] },
  },
};

describe("the configuration of a service", { timeout: 280_000 }, () => {
  let home: string;
  let platform: Platform;

  before(async () => {
    home = await mkdtemp(join(tmpdir(), "micro-config-"));
    platform = await start(await keptAddress());
    // Where this process's own framework finds the platform.
    process.env["MICRO_HOME"] = home;
    process.env["MICRO_PROXY"] = platform.addresses.proxy;
  });
  after(async () => {
    await platform?.[Symbol.asyncDispose]();
    await rm(home, { recursive: true, force: true });
  });

  const start = (proxy: string) => {
    const names = ["API", "WEB", "NETWORK"].map((name) => [`MICRO_${name}_ADDRESS`, "127.0.0.1:0"]);
    return startPlatform(parseSettings({ ...Object.fromEntries(names), MICRO_PROXY_ADDRESS: proxy, MICRO_HOME: home }));
  };
  const unfit = (call: Promise<unknown>, ...texts: (string | RegExp)[]) =>
    rejects(call, ({ code, detail }: MicroError) => {
      equal(code, 400, detail);
      for (const text of texts) ok(typeof text === "string" ? detail.includes(text) : text.test(detail), detail);
      return true;
    });

  it("is typed and completed by its schema, with a default for what isn't there", async () => {
    await config.set("mail", { host: "smtp", to: [{ name: "jane" }] });
    const mail: z.infer<typeof Mail> = await config.get("mail", Mail);
    deepEqual({ ...mail, to: undefined }, { host: "smtp", port: 25, to: undefined });
    equal(await config.get("none", z.string().optional()), undefined);
    equal(await config.get("none", z.string(), { default: "x" }), "x");
    // @ts-expect-error: a default has the schema's type
    equal(await config.get("none", z.string(), { default: 1 }), 1);
    equal(await config.get("mail.host", z.string(), { default: "x" }), "smtp");
    equal(await config.get("none"), undefined);
    await config.set("zero", 0);
    equal(await config.get("zero", z.number(), { default: 7 }), 0);
  });

  it("that doesn't fit is refused with the path, the type and the command that mends it", async () => {
    await config.set("bad", { port: "abc", mode: "open", to: [{ name: "jane" }, {}], deep: { "a b": { n: 1.5 } } });
    const call = config.get("bad", Mail.extend({ deep: z.record(z.string(), z.object({ n: z.int() })) }));
    await unfit(
      call,
      '"bad.host" isn\'t set and has to be a text. Set it with: micro config set bad.host <text>',
      '"bad.port" is a text and has to be a whole number. Set it with: micro config set bad.port <number>',
      /"bad\.mode" doesn't fit: .*\. Set it with: micro config set bad\.mode <tls\|plain>/,
      /"bad\.to" doesn't fit: .*\(at 1\.name\)\. Set it with: micro config set bad\.to '\[…\]'/,
      /"bad\.deep\.a b\.n" doesn't fit: .*\. Set it with: micro config set 'bad\.deep\.a b\.n' <number>/,
    );
    await unfit(config.get("gone.port", z.number()), '"gone.port" isn\'t set and has to be a number');
    await unfit(config.get("gone", z.union([z.string(), z.boolean()])), "has to be a text or true or false");
    await unfit(
      config.get("bad.port", even),
      '"bad.port" doesn\'t fit: abc is not even. Set it with: micro config set bad.port <value>',
    );
    await unfit(config.get("bad", z.array(z.string())), '"bad" is an object and has to be a list');
  });

  it("shows no secret in what it says about one (CF-01)", async () => {
    await config.set("keys", { api: "hunter2", pins: ["hunter2"] }, { secret: true });
    const leaky = z.object({
      api: z.string().refine(() => false, { error: ({ input }) => `${input} is wrong` }),
      pins: z.array(z.number()),
    });
    for (const call of [
      config.get("keys", leaky),
      config.get("keys.api", even),
      config.get("", z.object({ keys: leaky })),
    ])
      await unfit(
        call,
        /^(?!.*hunter2).*keys\.api" (is a secret that doesn't fit|has to be).*micro config set --secret keys\.api/,
      );
    equal(await config.get("keys.api"), "hunter2");
  });

  it("is watched: typed, without what doesn't fit, and on through a restart of the server", async () => {
    await config.set("watched", { n: 1 });
    const seen: number[] = [];
    const ending = new AbortController();
    const schema = z.object({ n: z.number() });
    const watching = (async () => {
      for await (const { n } of config.watch("watched", schema, { signal: ending.signal })) seen.push(n);
    })();
    const comes = (n: number) =>
      until(
        async () => seen.at(-1),
        (last) => last === n,
      );
    await comes(1);
    await config.set("watched.n", "no number");
    await config.set("watched.n", 2);
    await comes(2);
    const { proxy } = platform.addresses;
    await platform[Symbol.asyncDispose]();
    platform = await start(proxy);
    await until(
      () =>
        config.set("watched.n", 3).then(
          () => true,
          () => false,
        ),
      (isSet) => isSet,
    );
    await comes(3);
    ending.abort();
    await watching;
    deepEqual(seen, [1, 2, 3]);
    await unfit(
      config
        .watch("watched", z.object({ n: z.string() }))
        .next()
        .then(),
      '"watched.n" is a number',
    );
    const none = config.watch("watched.none", z.number(), { default: 7 });
    equal((await none.next()).value, 7);
    await none.return();
  });

  it("is at hand at any time when it is live", async () => {
    await config.set("live", { n: 1 });
    {
      await using live = await config.live("live", z.object({ n: z.number() }));
      equal(live.value.n, 1);
      await config.set("live.n", 2);
      await until(
        async () => live.value.n,
        (n) => n === 2,
      );
      await config.set("live.n", "no number");
      await config.set("live.n", 3);
      await until(
        async () => live.value.n,
        (n) => n === 3,
      );
    }
    await unfit(config.live("live", z.string()), '"live" is an object and has to be a text');
  });
});
