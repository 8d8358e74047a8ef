// gRPC's interop cases between Python's grpcio and ours.
import { equal } from "node:assert/strict";
import { cases, compressedRequestCases, compressionCases, serverCompressionCases } from "./cases.ts";
import { describeInterop, ofOurClient } from "./describe-interop.ts";
import { callFromGrpcio, grpcio, serveGrpcio } from "./grpcio/grpcio.ts";
import { serveTestService } from "./test-service.ts";
import type { Served, Way } from "./ways.ts";

const ways: readonly Way[] = ["straight", "through our proxy", "over TLS"];
const { skip } = grpcio;

/** One process runs all cases at a server. */
const results = new WeakMap<Served, ReturnType<typeof callFromGrpcio>>();

describeInterop(
  "grpcio calling our server",
  { serve: serveTestService, ways, skip },
  Object.fromEntries(
    Object.keys({ ...cases, ...compressionCases }).map((name) => [
      name,
      async (served) => {
        const running = results.get(served) ?? callFromGrpcio(served);
        results.set(served, running);
        equal((await running).get(name), null);
      },
    ]),
  ),
);

describeInterop(
  "our client calling grpcio",
  { serve: serveGrpcio, ways, skip },
  ofOurClient({ ...cases, ...compressedRequestCases, ...serverCompressionCases }),
);
