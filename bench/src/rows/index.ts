import type { Row } from "../row.ts";
import { events } from "./events.ts";
import { gateway } from "./gateway.ts";
import { gatewayUnderWrites } from "./gateway-under-writes.ts";
import { growth } from "./growth.ts";
import { h2load } from "./h2load.ts";
import { many } from "./many.ts";
import { proxy } from "./proxy.ts";
import { server } from "./server.ts";
import { store } from "./store.ts";
import { streams } from "./streams.ts";
import { unary } from "./unary.ts";

/** In the order of RESULTS.md. */
export const rows: readonly Row[] = [
  unary,
  h2load,
  ...streams,
  ...many,
  proxy,
  ...gateway,
  ...gatewayUnderWrites,
  ...store,
  ...events,
  ...growth,
  ...server,
];
