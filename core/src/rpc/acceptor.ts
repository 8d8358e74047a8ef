import type { Socket } from "node:net";
import { TLSSocket } from "node:tls";
import type { Log } from "../log.ts";
import { formatAddress } from "./address.ts";
import type { KeepaliveOptions } from "./http2/keepalive.ts";
import type { Limits } from "./http2/limits.ts";
import { ErrorCode } from "./http2/protocol.ts";
import { ServerConnection } from "./http2/server-connection.ts";
import type { Requests } from "./requests.ts";
import type { Http2ServerCall } from "./server-call.ts";
import type { CallHandler, Load } from "./transport.ts";
import { readHttp1Request } from "./web/http1-request.ts";
import { Http1Server } from "./web/http1-server.ts";
import { ProtocolSniffer } from "./web/protocol-sniffer.ts";

export interface AcceptorOptions {
  readonly handler: CallHandler;
  readonly requests: Requests;
  readonly limits: Limits;
  readonly keepalive: KeepaliveOptions;
  readonly log: Log;
}

/** One of a server's connections, whatever it speaks. */
interface Peer {
  /** Calls that it has open or that run for it. */
  readonly calls: number;
  /** Lets running calls finish and takes no more. */
  drain(): void;
  destroy(message: string): void;
}

/** A server's connections: finds out what each speaks, HTTP/2 or HTTP/1.1, and runs the calls that come on it. */
export class Acceptor {
  readonly #options: AcceptorOptions;
  readonly #peers = new Set<Peer>();
  readonly #onLost = (peer: Peer): void => {
    this.#peers.delete(peer);
  };
  #http1: Http1Server | undefined;

  constructor(options: AcceptorOptions) {
    this.#options = options;
  }

  get load(): Load {
    let calls = 0;
    for (const peer of this.#peers) calls += peer.calls;
    return { connections: this.#peers.size, calls };
  }

  accept(socket: Socket): void {
    // Every one of the three listens for errors itself; a reset between two of them is nobody's loss.
    socket.on("error", ignore);
    const protocol = socket instanceof TLSSocket ? socket.alpnProtocol : undefined;
    if (protocol === "h2") this.#serveHttp2(socket, Date.now());
    else if (protocol === "http/1.1") this.#serveHttp1(socket, undefined);
    else this.#sniff(socket);
  }

  #sniff(socket: Socket): void {
    const sniffer = new ProtocolSniffer(socket, {
      withinMs: this.#options.limits.handshakeMs,
      onHttp2: (_, first, openedMs) => {
        this.#peers.delete(sniffer);
        this.#serveHttp2(socket, openedMs).receive(first);
      },
      onHttp1: (_, first) => {
        this.#peers.delete(sniffer);
        this.#serveHttp1(socket, first);
      },
      onLost: this.#onLost,
    });
    this.#peers.add(sniffer);
  }

  #serveHttp2(socket: Socket, openedMs: number): ServerConnection {
    const { handler, requests, limits, keepalive, log } = this.#options;
    const peer = peerOf(socket);
    // Calls begin when all that came with them is there: most have their message by then.
    let begun: Http2ServerCall[] = [];
    const onDone = () => {
      connection.running--;
    };
    const connection = new ServerConnection(socket, {
      limits,
      keepalive,
      openedMs,
      onRequest: (stream, head, fields) => {
        const before = begun.length;
        const events = requests.overHttp2(stream, head, fields, peer, begun);
        connection.running += begun.length - before;
        return events;
      },
      onTurnEnd: () => {
        if (begun.length === 0) return;
        const calls = begun;
        begun = [];
        for (const call of calls) call.run(handler, onDone);
      },
      onFailed: (code, reason) => {
        log[code === ErrorCode.enhanceYourCalm ? "warn" : "debug"]("ended a gRPC connection", { peer, reason });
      },
      onLost: this.#onLost,
    });
    this.#peers.add(connection);
    socket.on("data", (chunk: Buffer) => connection.receive(chunk));
    return connection;
  }

  #serveHttp1(socket: Socket, first: Buffer | undefined): void {
    const { handler, requests, limits } = this.#options;
    this.#http1 ??= new Http1Server({
      limits,
      onRequest: (exchange, request) => {
        const { head, fields } = readHttp1Request(request);
        const calls: Http2ServerCall[] = [];
        exchange.carry(requests.overHttp1(exchange, head, fields, peerOf(request.socket), calls));
        for (const call of calls) call.run(handler, ignore);
      },
      onLost: this.#onLost,
    });
    this.#peers.add(this.#http1.serve(socket, first));
  }

  /** Lets running calls finish and takes no more. */
  drain(): void {
    for (const peer of this.#peers) peer.drain();
  }

  /** Cuts every connection. */
  destroy(message: string): void {
    for (const peer of this.#peers) peer.destroy(message);
  }

  /** All connections are gone. */
  close(): void {
    this.#http1?.close();
  }
}

function ignore(): void {}

function peerOf({ remoteAddress, remotePort }: Socket): string {
  return remoteAddress === undefined ? "unix" : formatAddress(remoteAddress, remotePort ?? 0);
}
