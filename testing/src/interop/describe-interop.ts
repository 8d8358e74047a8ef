import { after, before, describe, it } from "node:test";
import type { Case } from "./cases.ts";
import { openWay, type Serve, type Served, type Way } from "./ways.ts";

export interface Interop {
  readonly serve: Serve;
  readonly ways: readonly Way[];
  readonly skip?: string | false;
}

/** Declares that a client passes each case at a server, by each way. The server starts once for each way; cases run side by side. */
export function describeInterop(
  title: string,
  { serve, ways, skip = false }: Interop,
  cases: Readonly<Record<string, (served: Served) => Promise<void>>>,
): void {
  for (const way of ways) {
    describe(`${title}, ${way}`, { skip, concurrency: 4, timeout: 280_000 }, () => {
      let served: Served;
      before(async () => {
        served = await openWay(way, serve);
      });
      after(() => served[Symbol.asyncDispose]());
      for (const [name, run] of Object.entries(cases)) it(`passes ${name}`, () => run(served));
    });
  }
}

/** Cases for our client, each with a client of its own. */
export function ofOurClient(
  cases: Readonly<Record<string, Case>>,
): Readonly<Record<string, (served: Served) => Promise<void>>> {
  return Object.fromEntries(
    Object.entries(cases).map(([name, run]) => [
      name,
      async (served: Served) => {
        await using client = served.open();
        await run(client);
      },
    ]),
  );
}
