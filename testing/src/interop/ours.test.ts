// gRPC's interop cases between our client and our server: what they say about both, before other implementations have their say.
import { cases, compressionCases } from "./cases.ts";
import { describeInterop, ofOurClient } from "./describe-interop.ts";
import { serveTestService } from "./test-service.ts";

describeInterop(
  "our client calling our server",
  {
    serve: serveTestService,
    ways: ["straight", "through our proxy", "over TLS"],
  },
  ofOurClient({ ...cases, ...compressionCases }),
);
