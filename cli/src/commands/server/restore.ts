import { resolve } from "node:path";
import { command } from "../../command.ts";
import { Progress } from "../../progress.ts";
import { dataDirectory, dataDirFlag } from "./data-dir.ts";

const mebibyte = 1024 * 1024;

export const restore = command({
  summary: "Put a backup in the place of what the server of this machine keeps; it must not be running",
  args: "<folder>",
  plainErrors: true,
  examples: ["server restore /backups/2026-01-31"],
  flags: { data_dir: dataDirFlag },
  run: async (context, { data_dir: named }, [folder = ""]) => {
    const { out, signal, stderr } = context;
    const { restoreBackup } = await import("@microts/platform");
    const dataDir = await dataDirectory(context, named);
    let progress: Progress | undefined;
    const onProgress = (bytes: number, total: number) => {
      progress ??= new Progress(stderr, !out.isJson, "MiB", Math.ceil(total / mebibyte));
      progress.add(Math.ceil(bytes / mebibyte) - progress.done);
    };
    try {
      const from = resolve(context.folder, folder);
      const { before, createdAt } = await restoreBackup({ from, dataDir, onProgress, signal });
      progress?.end();
      const moved = before === undefined ? "" : ` What was there is in ${before}.`;
      const text = `${dataDir} is as it was at ${createdAt.toISOString()}.${moved} Start the server: micro server\n`;
      await out.result({ data_dir: dataDir, created: createdAt, before }, text);
    } finally {
      progress?.end();
    }
  },
});
