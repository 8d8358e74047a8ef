import { generateKeyPairSync, type KeyObject, sign } from "node:crypto";

/** A certificate and its key as PEM. */
export interface Certificate {
  readonly cert: string;
  readonly key: string;
}

export interface CertificateOptions {
  /** DNS names and IPv4 addresses that it is for; none for an authority. */
  readonly names?: readonly string[];
  readonly from?: Date;
  readonly to?: Date;
}

interface Signer {
  readonly name: Buffer;
  readonly key: KeyObject;
}

const day = 86_400_000;

/** An authority for tests that issues certificates (RFC 5280, ECDSA with P-256), with no other tool. */
export class Authority {
  readonly certificate: Certificate;
  readonly #signer: Signer;

  constructor(name = "Test authority") {
    const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    this.#signer = { name: nameOf(name), key: privateKey };
    this.certificate = { cert: signed(this.#signer, this.#signer.name, publicKey, {}), key: pemOf(privateKey) };
  }

  /** A certificate for the names, by default valid from yesterday to tomorrow. */
  issue(options: CertificateOptions): Certificate {
    const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const subject = nameOf(options.names?.[0] ?? "client");
    return { cert: signed(this.#signer, subject, publicKey, options), key: pemOf(privateKey) };
  }
}

const oid = {
  commonName: Buffer.from("0603550403", "hex"),
  ecdsaWithSha256: Buffer.from("06082a8648ce3d040302", "hex"),
  basicConstraints: Buffer.from("0603551d13", "hex"),
  subjectAltName: Buffer.from("0603551d11", "hex"),
};
const yes = Buffer.from("0101ff", "hex");

function signed(signer: Signer, subject: Buffer, publicKey: KeyObject, options: CertificateOptions): string {
  const { names, from = new Date(Date.now() - day), to = new Date(Date.now() + day) } = options;
  const isAuthority = subject === signer.name;
  const extensions = isAuthority
    ? [der(0x30, oid.basicConstraints, yes, der(0x04, der(0x30, yes)))]
    : [der(0x30, oid.subjectAltName, der(0x04, der(0x30, ...(names ?? ["client"]).map(altName))))];
  const algorithm = der(0x30, oid.ecdsaWithSha256);
  const content = der(
    0x30,
    der(0xa0, der(0x02, Buffer.from([2]))),
    der(0x02, Buffer.from([1, ...crypto.getRandomValues(new Uint8Array(8))])),
    algorithm,
    signer.name,
    der(0x30, time(from), time(to)),
    subject,
    publicKey.export({ type: "spki", format: "der" }),
    der(0xa3, der(0x30, ...extensions)),
  );
  const signature = sign("sha256", content, signer.key);
  const whole = der(0x30, content, algorithm, der(0x03, Buffer.from([0]), signature));
  const lines = whole.toString("base64").match(/.{1,64}/g) ?? [];
  return ["-----BEGIN CERTIFICATE-----", ...lines, "-----END CERTIFICATE-----", ""].join("\n");
}

/** One value of ASN.1 in its distinguished encoding. */
function der(tag: number, ...parts: Buffer[]): Buffer {
  const content = Buffer.concat(parts);
  const { length } = content;
  const size = length < 128 ? [length] : length < 256 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...size]), content]);
}

function nameOf(commonName: string): Buffer {
  return der(0x30, der(0x31, der(0x30, oid.commonName, der(0x0c, Buffer.from(commonName)))));
}

function altName(name: string): Buffer {
  const isIp = /^[\d.]+$/.test(name);
  return isIp ? der(0x87, Buffer.from(name.split(".").map(Number))) : der(0x82, Buffer.from(name));
}

function time(date: Date): Buffer {
  return der(0x18, Buffer.from(date.toISOString().replace(/[-:T]|\.\d+/g, "")));
}

function pemOf(key: KeyObject): string {
  return key.export({ type: "pkcs8", format: "pem" }).toString();
}
