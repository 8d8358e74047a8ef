import type { Platform } from "@microts/platform";
import { command, group } from "../command.ts";
import { serverFlags, startServer } from "../start-server.ts";
import { backup } from "./server/backup.ts";
import { restore } from "./server/restore.ts";

const run = command({
  summary: "Run the micro server",
  examples: ["server", "server --api_address :9080 --data_dir ./data"],
  flags: serverFlags,
  run: async (context, flags) => {
    await using platform = await startServer(flags, context);
    const { api, proxy, web } = platform.addresses;
    const urls = { api: `http://${api}`, dashboard: `http://${web}`, proxy, network: platform.addresses.network };
    await context.out.result(urls, banner(urls, platform));
    await stopped(context.signal);
  },
});

export const server = group("Run the micro server, back it up and restore it", { backup, restore }, run);

interface Urls {
  readonly api: string;
  readonly dashboard: string;
  readonly proxy: string;
}

function banner({ api, dashboard, proxy }: Urls, { adminPassword, adminPasswordFile }: Platform): string {
  const password = adminPassword === undefined ? "" : `, password ${adminPassword} (kept in ${adminPasswordFile})`;
  return [
    "Micro is running. Ctrl-C stops it.",
    `  API        ${api}`,
    `  Dashboard  ${dashboard}  sign in as admin${password}`,
    `  Proxy      ${proxy}`,
    "Next, in another terminal: micro new helloworld && micro run ./helloworld",
    "",
  ].join("\n");
}

function stopped(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
