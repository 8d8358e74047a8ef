// gRPC's interop cases between grpc-js and ours.
import { cases, compressedRequestCases } from "./cases.ts";
import { describeInterop, ofOurClient } from "./describe-interop.ts";
import { grpcJsCases } from "./grpc-js-cases.ts";
import { serveGrpcJs } from "./grpc-js-server.ts";
import { serveTestService } from "./test-service.ts";
import type { Way } from "./ways.ts";

const ways: readonly Way[] = ["straight", "through our proxy", "over TLS"];

describeInterop("grpc-js calling our server", { serve: serveTestService, ways }, grpcJsCases);
describeInterop(
  "our client calling grpc-js",
  { serve: serveGrpcJs, ways },
  ofOurClient({ ...cases, ...compressedRequestCases }),
);
