import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { HpackDecoder } from "../../core/src/rpc/hpack/index.ts";
import { frame, RawFlag, type RawFrame, RawType, rawPreface, readFrames } from "./raw-http2-frames.ts";

export interface RawOptions {
  /** The SETTINGS sent first: identifier, value, identifier, value … */
  readonly settings?: readonly number[];
  /** What is acknowledged as it comes. Default SETTINGS and PINGs. */
  readonly answers?: "all" | "settings" | "nothing";
}

export interface Goaway {
  readonly lastStreamId: number;
  readonly code: number;
  readonly message: string;
}

const patienceMs = 15_000;

/** One end of an HTTP/2 connection that sends the frames it is told to, right or wrong, and keeps all that come. */
export class RawHttp2 implements Disposable {
  readonly socket: Socket;
  /** What has come, in order. */
  readonly frames: RawFrame[] = [];
  readonly #decoder = new HpackDecoder();
  readonly #answers: "all" | "settings" | "nothing";
  #rest: Buffer = Buffer.alloc(0);
  #block: { readonly frame: RawFrame; readonly pieces: Buffer[] } | undefined;
  #looked = 0;
  #isEnded = false;
  #wake = () => {};

  constructor(socket: Socket, { answers = "all" }: RawOptions = {}) {
    this.socket = socket;
    this.#answers = answers;
    const ended = () => {
      this.#isEnded = true;
      this.#wake();
    };
    socket.setNoDelay(true);
    socket.on("error", ended);
    socket.on("end", ended);
    socket.on("close", ended);
    socket.on("data", (chunk: Buffer) => this.#received(chunk));
  }

  /** Connects as a client, with preface and SETTINGS. */
  static async connect(address: string, options: RawOptions = {}): Promise<RawHttp2> {
    const peer = await RawHttp2.connectSilently(address, options);
    peer.send(rawPreface, frame(RawType.settings, 0, 0, settingsPayload(options.settings ?? [])));
    return peer;
  }

  /** Connects and says nothing. */
  static async connectSilently(address: string, options: RawOptions = {}): Promise<RawHttp2> {
    const [, host, port] = /^(.*):(\d+)$/.exec(address) ?? [];
    const socket = connect(Number(port), host);
    await once(socket, "connect");
    return new RawHttp2(socket, options);
  }

  /** Whether the other side has ended the connection. */
  get isEnded(): boolean {
    return this.#isEnded;
  }

  send(...bytes: readonly Uint8Array[]): void {
    if (this.socket.writable) this.socket.write(bytes.length === 1 ? (bytes[0] as Uint8Array) : Buffer.concat(bytes));
  }

  /** Sends and waits until the system has taken it: for more than fits in memory. False when the connection has ended. */
  async sendSlowly(bytes: Uint8Array): Promise<boolean> {
    if (!this.socket.writable || this.#isEnded) return false;
    return await new Promise((resolve) => this.socket.write(bytes, (error) => resolve(!error)));
  }

  /** The first frame since the last such question that is right. Fails when the connection ends before it. */
  async next(what: string, isRight: (frame: RawFrame) => boolean): Promise<RawFrame> {
    const late = setTimeout(() => this.#wake(), patienceMs);
    const untilMs = Date.now() + patienceMs - 10;
    try {
      for (;;) {
        for (; this.#looked < this.frames.length; this.#looked++) {
          const found = this.frames[this.#looked] as RawFrame;
          if (!isRight(found)) continue;
          this.#looked++;
          return found;
        }
        if (this.#isEnded || Date.now() > untilMs)
          throw new Error(`no ${what} ${this.#isEnded ? "before the end" : "in time"}; ${this.#summary()}`);
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    } finally {
      clearTimeout(late);
    }
  }

  async goaway(): Promise<Goaway> {
    const { payload } = await this.next("GOAWAY", ({ type }) => type === RawType.goaway);
    return {
      lastStreamId: payload.readUInt32BE(0),
      code: payload.readUInt32BE(4),
      message: payload.toString("utf8", 8),
    };
  }

  /** The error code of the RST_STREAM of a stream. */
  async rstStream(streamId: number): Promise<number> {
    const isRight = (each: RawFrame) => each.type === RawType.rstStream && each.streamId === streamId;
    return (await this.next(`RST_STREAM on stream ${streamId}`, isRight)).payload.readUInt32BE(0);
  }

  /** The fields of the next header block of a stream. */
  async headers(streamId: number): Promise<Readonly<Record<string, string>>> {
    const isRight = (each: RawFrame) => each.type === RawType.headers && each.streamId === streamId;
    const { fields = [] } = await this.next(`HEADERS on stream ${streamId}`, isRight);
    return Object.fromEntries(Array.from({ length: fields.length / 2 }, (_, n) => fields.slice(2 * n, 2 * n + 2)));
  }

  /** Resolves when the other side has ended the connection. */
  async ended(): Promise<void> {
    await this.next("end", () => false).catch(() => {});
    if (!this.#isEnded) throw new Error(`the connection is still open; ${this.#summary()}`);
  }

  #summary(): string {
    const names = new Map<number, string>(Object.entries(RawType).map(([name, type]) => [type, name]));
    const counts = Map.groupBy(this.frames, ({ type }) => names.get(type) ?? `type ${type}`);
    return `there came ${[...counts].map(([name, { length }]) => `${length} ${name}`).join(", ") || "nothing"}`;
  }

  #received(chunk: Buffer): void {
    const { frames, rest } = readFrames(this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]));
    this.#rest = rest;
    for (const each of frames) this.#take(each);
    this.#wake();
  }

  #take(each: RawFrame): void {
    const { type, flags, payload } = each;
    const isAck = (flags & RawFlag.ack) !== 0;
    if (type === RawType.headers) this.#block = { frame: each, pieces: [] };
    if (type === RawType.headers || type === RawType.continuation) {
      this.#block?.pieces.push(payload);
      if (flags & RawFlag.endHeaders) this.#decode();
      if (type === RawType.continuation) return;
    }
    if (type === RawType.settings && !isAck && this.#answers !== "nothing")
      this.send(frame(RawType.settings, RawFlag.ack, 0));
    if (type === RawType.ping && !isAck && this.#answers === "all")
      this.send(frame(RawType.ping, RawFlag.ack, 0, payload));
    this.frames.push(each);
  }

  #decode(): void {
    if (this.#block === undefined) return;
    const whole = Buffer.concat(this.#block.pieces);
    this.#block.frame.fields = this.#decoder.decode(whole, 0, whole.length, 1 << 20, 10_000) ?? [];
    this.#block = undefined;
  }

  [Symbol.dispose](): void {
    this.socket.destroy();
  }
}

/** Listens as a server whose connections `serve` speaks on; the client's preface comes first among the bytes and is cut off. */
export async function listenRaw(
  serve: (peer: RawHttp2) => void,
  options: RawOptions = {},
): Promise<AsyncDisposable & { readonly address: string }> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
    socket.once("readable", () => {
      const greeting: Buffer | null = socket.read(rawPreface.length);
      const peer = new RawHttp2(socket, options);
      if (greeting?.equals(rawPreface)) {
        peer.send(frame(RawType.settings, 0, 0, settingsPayload(options.settings ?? [])));
        serve(peer);
      } else socket.destroy();
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const at = server.address();
  return {
    address: `127.0.0.1:${typeof at === "object" ? at?.port : 0}`,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}

function settingsPayload(pairs: readonly number[]): Buffer {
  const payload = Buffer.alloc((pairs.length / 2) * 6);
  for (let n = 0; n < pairs.length; n += 2) {
    payload.writeUInt16BE(pairs[n] ?? 0, n * 3);
    payload.writeUInt32BE(pairs[n + 1] ?? 0, n * 3 + 2);
  }
  return payload;
}
