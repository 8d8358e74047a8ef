import { equal, notEqual, throws } from "node:assert/strict";
import { createHmac, createSign, generateKeyPairSync } from "node:crypto";
import { describe, it, mock } from "node:test";
import type { Account } from "./account.ts";
import { accountOf, signToken, verifyToken } from "./jwt.ts";
import { TokenVerifier } from "./verifier.ts";

const pair = generateKeyPairSync("rsa", { modulusLength: 2048 });
const other = generateKeyPairSync("rsa", { modulusLength: 2048 });
const jane: Account = {
  id: "jane",
  name: "jane@acme.com",
  type: "user",
  issuer: "acme",
  scopes: ["admin"],
  metadata: { team: "a" },
};
const soon = () => new Date(Date.now() + 60_000);
const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
const claims = {
  sub: "jane",
  iss: "acme",
  exp: Math.floor(Date.now() / 1000) + 60,
  type: "user",
  name: "jane",
  scopes: ["admin"],
  metadata: {},
};

function signed(header: object, body: object): string {
  const payload = `${part(header)}.${part(body)}`;
  return `${payload}.${createSign("RSA-SHA256").update(payload).sign(pair.privateKey).toString("base64url")}`;
}

describe("tokens", () => {
  it("prove the account they were signed for", async () => {
    const token = await signToken(jane, soon(), "k1", pair.privateKey);
    const account = accountOf(verifyToken(token, pair.publicKey));
    equal(account.id, "jane");
    equal(account.issuer, "acme");
    equal(account.metadata["team"], "a");
  });

  it("differ each time", async () => {
    const expiry = soon();
    notEqual(
      await signToken(jane, expiry, "k1", pair.privateKey),
      await signToken(jane, expiry, "k1", pair.privateKey),
    );
  });

  it("take what the original signs: no iat, no jti, null scopes", () => {
    equal(
      accountOf(
        verifyToken(signed({ alg: "RS256", typ: "JWT" }, { ...claims, scopes: null, metadata: null }), pair.publicKey),
      ).id,
      "jane",
    );
  });

  const pem = pair.publicKey.export({ type: "spki", format: "pem" }).toString();
  const body = part(claims);
  const forged: Record<string, string> = {
    "alg none": `${part({ alg: "none" })}.${body}.`,
    "alg nOnE": `${part({ alg: "nOnE" })}.${body}.AAAA`,
    "HS256 with the public key": (() => {
      const payload = `${part({ alg: "HS256" })}.${body}`;
      return `${payload}.${createHmac("sha256", pem).update(payload).digest("base64url")}`;
    })(),
    "RS512 in the header": signed({ alg: "RS512" }, claims),
    "b64 false": signed({ alg: "RS256", b64: false }, claims),
    crit: signed({ alg: "RS256", crit: ["x"] }, claims),
    "a signature with a stray character": `${signed({ alg: "RS256" }, claims)}=`,
    "a signature with a stray bit": signed({ alg: "RS256" }, claims).replace(/.$/, (last) =>
      last === "A" ? "B" : "A",
    ),
    "an empty signature": `${part({ alg: "RS256" })}.${body}.`,
    "a short signature": `${part({ alg: "RS256" })}.${body}.AAAA`,
    "no dots": "abc",
    "five parts": "a.b.c.d.e",
    "not JSON": `${Buffer.from("x").toString("base64url")}.${body}.AAAA`,
    "a huge token": `${part({ alg: "RS256" })}.${"A".repeat(1_000_000)}.AAAA`,
    "no subject": signed({ alg: "RS256" }, { ...claims, sub: undefined }),
    "a text expiry": signed({ alg: "RS256" }, { ...claims, exp: "99999999999" }),
    "an expired one": signed({ alg: "RS256" }, { ...claims, exp: 1 }),
  };
  for (const [name, token] of Object.entries(forged)) {
    it(`refuse ${name} (AU-03)`, () => {
      throws(() => verifyToken(token, pair.publicKey), { code: 401 });
    });
  }

  it("refuse another key's signature (AU-03)", async () => {
    const token = await signToken(jane, soon(), "k1", other.privateKey);
    throws(() => verifyToken(token, pair.publicKey), { code: 401 });
  });
});

describe("TokenVerifier", () => {
  it("remembers a verified token only until it expires", async () => {
    const verifier = new TokenVerifier(pair.publicKey);
    const token = await signToken(jane, new Date(Date.now() + 2_000), "k1", pair.privateKey);
    equal(verifier.verify(`Bearer ${token}`)?.id, "jane");
    equal(verifier.verify(`bearer ${token}`)?.id, "jane");
    equal(verifier.size, 1);
    mock.timers.enable({ apis: ["Date"], now: Date.now() + 3_000 });
    try {
      throws(() => verifier.verify(`Bearer ${token}`), { code: 401, message: /expired/ });
    } finally {
      mock.timers.reset();
    }
    equal(verifier.size, 0);
  });

  it("takes the part after the colon of Basic credentials", async () => {
    const token = await signToken(jane, soon(), "k1", pair.privateKey);
    const basic = Buffer.from(`anything:${token}`).toString("base64");
    equal(new TokenVerifier(pair.publicKey).verify(`Basic ${basic}`)?.id, "jane");
  });

  it("has no account without a header, and 401 for another scheme", () => {
    const verifier = new TokenVerifier(pair.publicKey);
    equal(verifier.verify(undefined), undefined);
    throws(() => verifier.verify("Digest abc"), { code: 401, message: /Expected Bearer or Basic/ });
  });

  it("holds no more than its capacity", async () => {
    const verifier = new TokenVerifier(pair.publicKey, 2);
    for (let n = 0; n < 5; n++) verifier.inspect(await signToken(jane, soon(), "k1", pair.privateKey));
    equal(verifier.size, 2);
  });
});
