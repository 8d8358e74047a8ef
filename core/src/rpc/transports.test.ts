// The same calls over TCP, TLS, TLS with client certificates and Unix sockets, with grpc-js as witness.
import { deepEqual, equal, ok, rejects } from "node:assert/strict";
import { mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, describe, it } from "node:test";
import { createServer as createTlsServer } from "node:tls";
import { fileURLToPath } from "node:url";
import * as grpc from "@grpc/grpc-js";
import { Source } from "@microts/proto/runtime";
import { Dep } from "../../../proto/gen/test/dep/dep_pb.ts";
import { callText, echo, status } from "../../../testing/src/calls.ts";
import { Authority } from "../../../testing/src/certificates.ts";
import { Child } from "../../../testing/src/child.ts";
import { depMessages, depPaths, serveDep } from "../../../testing/src/dep.ts";
import { GrpcStatus } from "../errors.ts";
import { Connections, type ConnectionsOptions, type ListenOptions, listen, RpcClient, serviceClient } from "./index.ts";

const authority = new Authority();
const { cert: ca } = authority.certificate;
const identity = authority.issue({ names: ["localhost", "127.0.0.1"] });
const client = authority.issue({});
const tls = { cert: identity.cert, key: identity.key };
const mutual = { ...tls, ca, requestCert: true, rejectUnauthorized: true };

let folder: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), "micro-sockets-"));
});
after(() => rm(folder, { recursive: true }));

interface Transport {
  readonly listen: () => Partial<ListenOptions>;
  readonly connect: ConnectionsOptions;
  /** How a client writes the address that the server tells. */
  readonly to: (address: string) => string;
  readonly credentials: () => grpc.ChannelCredentials;
}

const bytes = (text: string) => Buffer.from(text);
const https = (address: string) => `https://${address.replace("127.0.0.1", "localhost")}`;
let sockets = 0;
const transports: Readonly<Record<string, Transport>> = {
  TCP: {
    listen: () => ({}),
    connect: {},
    to: (address) => address,
    credentials: () => grpc.credentials.createInsecure(),
  },
  TLS: {
    listen: () => ({ tls }),
    connect: { tls: { ca } },
    to: https,
    credentials: () => grpc.credentials.createSsl(bytes(ca)),
  },
  "TLS with client certificates": {
    listen: () => ({ tls: mutual }),
    connect: { tls: { ca, cert: client.cert, key: client.key } },
    to: https,
    credentials: () => grpc.credentials.createSsl(bytes(ca), bytes(client.key), bytes(client.cert)),
  },
  "a Unix socket": {
    listen: () => ({ address: `unix:${join(folder, `${++sockets}.sock`)}` }),
    connect: {},
    to: (address) => address,
    credentials: () => grpc.credentials.createInsecure(),
  },
};

for (const [name, transport] of Object.entries(transports)) {
  describe(`calls over ${name}`, () => {
    it("are of all four kinds, and large messages come whole", async () => {
      await using served = await serveDep({}, undefined, transport.listen());
      await using connections = new Connections(transport.connect);
      const rpc = new RpcClient({ resolve: () => transport.to(served.server.address), connections });
      const dep = serviceClient(Dep, rpc, "dep");
      const source = serviceClient(Source, rpc, "dep");
      equal((await dep.call({ name: "Jane" })).msg, "Hello Jane");
      deepEqual(await Array.fromAsync(dep.stream({ count: 3n }), ({ count }) => count), [1n, 2n, 3n]);
      const long = "x".repeat(3_000_000);
      const parts = async function* () {
        for (const text of ["a", long, "b"]) yield { data: Buffer.from(text) };
      };
      equal((await source.upload(parts())).id, `a${long}b`);
      const pings = async function* () {
        for (let stroke = 0n; stroke < 100n; stroke++) yield { stroke };
      };
      deepEqual(
        await Array.fromAsync(dep.pingPong(pings()), ({ stroke }) => stroke),
        Array.from({ length: 100 }, (_, n) => BigInt(n + 1)),
      );
    });

    it("come from grpc-js as well", async () => {
      await using served = await serveDep({}, undefined, transport.listen());
      const address = transport.to(served.server.address).replace("https://", "");
      const grpcJs = new grpc.Client(address, transport.credentials());
      const { encode, decode } = depMessages;
      try {
        const reply = Promise.withResolvers<string | undefined>();
        grpcJs.makeUnaryRequest(depPaths.call, encode.call, decode.call, { name: "Jane" }, (error, value) =>
          error ? reply.reject(error) : reply.resolve(value?.msg),
        );
        equal(await reply.promise, "Hello Jane");
        const stream = grpcJs.makeBidiStreamRequest(depPaths.ping, encode.ping, decode.ping);
        stream.write({ stroke: 1n });
        stream.end();
        deepEqual(await Array.fromAsync(stream as AsyncIterable<{ stroke: bigint }>, ({ stroke }) => stroke), [2n]);
      } finally {
        grpcJs.close();
      }
    });

    it("go to a server of grpc-js as well", async () => {
      const server = new grpc.Server();
      const { encode, decode } = depMessages;
      const method = {
        path: depPaths.call,
        requestStream: false,
        responseStream: false,
        requestSerialize: encode.call,
        requestDeserialize: (raw: Buffer) => raw,
        responseSerialize: (raw: Buffer) => raw,
        responseDeserialize: decode.call,
      } as const;
      server.addService(
        { call: method },
        { call: (call: { request: Buffer }, reply: grpc.sendUnaryData<Buffer>) => reply(null, call.request) },
      );
      const options = transport.listen();
      const pair = [{ private_key: bytes(identity.key), cert_chain: bytes(identity.cert) }];
      const credentials =
        options.tls === undefined
          ? grpc.ServerCredentials.createInsecure()
          : grpc.ServerCredentials.createSsl(bytes(ca), pair, options.tls.requestCert === true);
      const port = await new Promise<number>((resolve, reject) =>
        server.bindAsync(options.address ?? "127.0.0.1:0", credentials, (error, bound) =>
          error ? reject(error) : resolve(bound),
        ),
      );
      await using connections = new Connections(transport.connect);
      try {
        const address = transport.to(options.address ?? `127.0.0.1:${port}`);
        equal(await callText(connections, address, { path: depPaths.call }), "hello");
      } finally {
        server.forceShutdown();
      }
    });
  });
}

/** Ends like `callText` against the server, which is closed again. */
async function meet(server: Server, options: ConnectionsOptions, to: (port: number) => string): Promise<string> {
  server.on("connection", (socket) => socket.on("error", () => {}));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  await using connections = new Connections(options);
  try {
    return await callText(connections, to((server.address() as { port: number }).port));
  } finally {
    server.close();
  }
}

describe("TLS", () => {
  const trusting = { tls: { ca } };
  const localhost = (port: number) => `https://localhost:${port}`;
  const serving = (certificate: { cert: string; key: string }, more = {}) =>
    createTlsServer({ ...certificate, ALPNProtocols: ["h2"], ...more });
  const cases: readonly [string, () => Server, ConnectionsOptions, (port: number) => string, RegExp][] = [
    [
      "isn't trusted",
      () => serving(identity),
      {},
      localhost,
      /not signed by an authority.*tls\.ca.*NODE_EXTRA_CA_CERTS/,
    ],
    [
      "has expired",
      () => serving(authority.issue({ names: ["localhost"], to: new Date(Date.now() - 1000) })),
      trusting,
      localhost,
      /has expired\. Renew it/,
    ],
    [
      "isn't valid yet",
      () => serving(authority.issue({ names: ["localhost"], from: new Date(Date.now() + 60_000) })),
      trusting,
      localhost,
      /not valid yet\. Compare the clocks/,
    ],
    [
      "has another name",
      () => serving(authority.issue({ names: ["other.test"] })),
      trusting,
      localhost,
      /is not for localhost \(.*other\.test.*\)\. Use a name that it holds, or set tls\.servername/,
    ],
    [
      "is asked for by the server, and this side has none",
      () => serving(identity, { ca, requestCert: true }),
      trusting,
      localhost,
      /doesn't accept this client's certificate .*tls\.cert and tls\.key/,
    ],
  ];
  for (const [what, server, options, to, message] of cases)
    it(`tells what to do when a certificate ${what}`, async () => {
      await rejects(meet(server(), options, to), status(GrpcStatus.unavailable, message));
    });

  it("tells what to do when the server doesn't trust this side's certificate", async () => {
    await using server = await listen(echo, { address: "127.0.0.1:0", tls: mutual });
    const stranger = new Authority("Another").issue({});
    await using connections = new Connections({ tls: { ca, ...stranger } });
    await rejects(
      callText(connections, https(server.address)),
      status(GrpcStatus.unavailable, /tls\.cert and tls\.key/),
    );
  });

  for (const [what, more] of [
    ["only HTTP/1.1", { ALPNProtocols: ["http/1.1"] }],
    ["nothing", { ALPNProtocols: [] }],
  ] as const)
    it(`tells what to do when the server offers ${what} by ALPN`, async () => {
      await rejects(
        meet(serving(identity, more), trusting, localhost),
        status(GrpcStatus.unavailable, /no HTTP\/2 over TLS \(ALPN h2\).*offer h2/),
      );
    });

  it("tells what to do when the server speaks clear text", async () => {
    await using server = await listen(echo, { address: "127.0.0.1:0" });
    await using connections = new Connections(trusting);
    await rejects(
      callText(connections, https(server.address)),
      status(GrpcStatus.unavailable, /doesn't speak TLS.*http:\/\/host:port/),
    );
  });

  it("tells what to do when the server speaks TLS and this side doesn't", async () => {
    await using server = await listen(echo, { address: "127.0.0.1:0", tls });
    await using connections = new Connections();
    await rejects(
      callText(connections, server.address),
      status(GrpcStatus.unavailable, /If it speaks TLS, write the address as https:\/\//),
    );
  });

  it("tells what to do when the server's first words are TLS", async () => {
    // The alert of servers that answer clear text in TLS (RFC 8446 §6).
    const alerting = createServer((socket) => socket.end(Buffer.from("15030100020246", "hex")));
    await rejects(
      meet(alerting, {}, (port) => `127.0.0.1:${port}`),
      status(GrpcStatus.unavailable, /the server wants TLS: write the address as https:\/\//),
    );
  });

  it("tells when a server speaks HTTP/1", async () => {
    const web = createServer((socket) => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n"));
    await rejects(
      meet(web, {}, (port) => `127.0.0.1:${port}`),
      status(GrpcStatus.unavailable, /the server speaks HTTP\/1, not HTTP\/2/),
    );
  });

  it("says which of its files a server can't use", async () => {
    await rejects(listen(echo, { address: "127.0.0.1:0", tls: { ...tls, cert: "nonsense" } }), {
      code: 400,
      detail: /^tls\.cert, tls\.key or tls\.ca can't be used \(.+\)/,
    });
  });
});

describe("a Unix socket", () => {
  const fresh = () => join(folder, `${++sockets}.sock`);

  it("is the user's own unless its mode says otherwise, and goes with the server", async () => {
    const path = fresh();
    for (const [socketMode, mode] of [
      [undefined, 0o600],
      [0o660, 0o660],
    ] as const) {
      const server = await listen(echo, { address: `unix:${path}`, ...(socketMode && { socketMode }) });
      equal(server.address, `unix:${path}`);
      equal(server.port, 0);
      equal((await stat(path)).mode & 0o777, mode);
      await server.close(0);
      await rejects(stat(path), { code: "ENOENT" });
    }
  });

  it("may be written unix:///path (gRPC naming.md)", async () => {
    const address = `unix://${fresh()}`;
    await using _ = await listen(echo, { address });
    await using connections = new Connections();
    equal(await callText(connections, address), "hello");
  });

  it("that a killed server left behind is taken over, and its clients come back", async () => {
    const path = fresh();
    const script = `
      const { listen } = await import("${new URL("index.ts", import.meta.url)}");
      await listen(async (call) => { await call.send(await call.read()); }, { address: "unix:" + process.argv[1] });
      console.log("ready");`;
    await using killed = new Child("--input-type=module", ["-e", script, path], {
      cwd: dirname(fileURLToPath(import.meta.url)),
      env: {},
    });
    await killed.saying(/ready/);
    await using connections = new Connections();
    equal(await callText(connections, `unix:${path}`), "hello");
    await killed.end("SIGKILL");
    ok((await stat(path)).isSocket());
    await rejects(
      callText(connections, `unix:${path}`),
      status(GrpcStatus.unavailable, /nothing listens on unix:.* \(connection refused\)/),
    );
    await using _ = await listen(echo, { address: `unix:${path}` });
    equal(await callText(connections, `unix:${path}`, { waitForReady: true }), "hello");
  });

  it("is left alone while its server lives, and so is a file that is no socket", async () => {
    const path = fresh();
    await using server = await listen(echo, { address: `unix:${path}` });
    await rejects(listen(echo, { address: server.address }), { code: 409, detail: /another server does\. Stop it/ });
    const file = join(folder, "file");
    await writeFile(file, "precious");
    await rejects(listen(echo, { address: `unix:${file}` }), { code: 409, detail: /a file that is no socket/ });
    await using connections = new Connections();
    equal(await callText(connections, server.address), "hello");
  });

  it("says what is wrong with its path", async () => {
    await rejects(listen(echo, { address: `unix:${folder}/none/a.sock` }), {
      code: 400,
      detail: /folder doesn't exist/,
    });
    await rejects(listen(echo, { address: `unix:${folder}/${"x".repeat(120)}` }), { code: 400, detail: /107 at most/ });
    await using connections = new Connections();
    await rejects(
      callText(connections, `unix:${folder}/none.sock`),
      status(GrpcStatus.unavailable, /nothing listens on unix:/),
    );
  });
});
