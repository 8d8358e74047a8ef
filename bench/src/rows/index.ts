import type { Row } from "../row.ts";
import { events } from "./events.ts";
import { gateway } from "./gateway.ts";
import { gatewayUnderWrites } from "./gateway-under-writes.ts";
import { growthTo } from "./growth.ts";
import { h2load } from "./h2load.ts";
import { many } from "./many.ts";
import { proxy } from "./proxy.ts";
import { server } from "./server.ts";
import { store } from "./store.ts";
import { streams } from "./streams.ts";
import { unary } from "./unary.ts";

/** What the larger side of the growth rows has, unless told otherwise. */
export const usualGrowth = 1_000_000;

/** In the order of RESULTS.md. */
export const rows: readonly Row[] = rowsWith(usualGrowth);

/** The rows, with so many records and events on the larger side of the growth rows. */
export function rowsWith(growth: number): readonly Row[] {
  return [
    unary,
    h2load,
    ...streams,
    ...many,
    proxy,
    ...gateway,
    ...gatewayUnderWrites,
    ...store,
    ...events,
    ...growthTo(growth),
    ...server,
  ];
}
