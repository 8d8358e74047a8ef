import { argon2, randomBytes, timingSafeEqual } from "node:crypto";
import { promisify } from "node:util";
import { MicroError } from "@microts/core";

/** What a hash costs. */
export interface HashCost {
  readonly memoryKiB: number;
  readonly passes: number;
  readonly lanes: number;
}

/** OWASP password storage: argon2id with m=19456 KiB, t=2, p=1. */
export const defaultHashCost: HashCost = { memoryKiB: 19_456, passes: 2, lanes: 1 };

interface ParsedHash {
  readonly cost: HashCost;
  readonly salt: Buffer;
  readonly hash: Buffer;
}

const argon2Async = promisify(argon2);
const maxRunning = 2;
const maxWaiting = 200;

/**
 * Hashes secrets with argon2id and writes them as PHC strings (`$argon2id$v=19$m=…,t=…,p=…$salt$hash`). Off the event loop, two at a time;
 * beyond 200 that wait, callers get a 429.
 */
export class SecretHasher {
  readonly #cost: HashCost;
  readonly #waiting: (() => void)[] = [];
  #running = 0;

  constructor(cost: HashCost = defaultHashCost) {
    this.#cost = cost;
  }

  async hash(secret: string): Promise<string> {
    const salt = randomBytes(16);
    const hash = await this.#compute(secret, { cost: this.#cost, salt, hash: Buffer.alloc(32) });
    const { memoryKiB, passes, lanes } = this.#cost;
    return `$argon2id$v=19$m=${memoryKiB},t=${passes},p=${lanes}$${unpadded(salt)}$${unpadded(hash)}`;
  }

  /** Whether the hash is the secret's. Without a hash it works as long and says no, so that time tells nothing. */
  async verify(secret: string, phc: string | undefined): Promise<boolean> {
    const parsed = phc === undefined ? undefined : parsePhc(phc);
    const { cost, salt, hash } = parsed ?? { cost: this.#cost, salt: randomBytes(16), hash: Buffer.alloc(32) };
    const computed = await this.#compute(secret, { cost, salt, hash });
    return timingSafeEqual(computed, hash) && parsed !== undefined;
  }

  /** Whether the hash was made at less than today's cost. */
  isWeak(phc: string): boolean {
    const cost = parsePhc(phc)?.cost;
    if (cost === undefined) return true;
    return cost.memoryKiB < this.#cost.memoryKiB || cost.passes < this.#cost.passes;
  }

  async #compute(secret: string, { cost, salt, hash }: ParsedHash): Promise<Buffer> {
    await this.#enter();
    try {
      return await argon2Async("argon2id", {
        message: secret,
        nonce: salt,
        parallelism: cost.lanes,
        tagLength: hash.length,
        memory: cost.memoryKiB,
        passes: cost.passes,
      });
    } finally {
      this.#leave();
    }
  }

  async #enter(): Promise<void> {
    if (this.#running < maxRunning) {
      this.#running++;
      return;
    }
    if (this.#waiting.length >= maxWaiting) {
      throw new MicroError(429, "auth", "too many sign-ins at once. Try again in a few seconds");
    }
    await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  #leave(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#running--;
    else next();
  }
}

function unpadded(bytes: Buffer): string {
  return bytes.toString("base64").replaceAll("=", "");
}

function parsePhc(phc: string): ParsedHash | undefined {
  const match = /^\$argon2id\$v=19\$m=(\d+),t=(\d+),p=(\d+)\$([\w+/]+)\$([\w+/]+)$/.exec(phc);
  const [, memory, passes, lanes, salt, hash] = match ?? [];
  if (salt === undefined || hash === undefined) return undefined;
  return {
    cost: { memoryKiB: Number(memory), passes: Number(passes), lanes: Number(lanes) },
    salt: Buffer.from(salt, "base64"),
    hash: Buffer.from(hash, "base64"),
  };
}
