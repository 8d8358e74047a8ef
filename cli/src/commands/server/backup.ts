import { resolve } from "node:path";
import { command } from "../../command.ts";
import { Progress } from "../../progress.ts";
import { dataDirectory, dataDirFlag } from "./data-dir.ts";

const mebibyte = 1024 * 1024;

export const backup = command({
  summary: "Copy all that the server of this machine keeps into a folder; it may be running",
  args: "<folder>",
  plainErrors: true,
  examples: ["server backup /backups/2026-01-31"],
  flags: {
    data_dir: dataDirFlag,
    with_secret_key: {
      kind: "bool",
      help: "take the root key of secrets along: whoever has the copy then has the secrets",
    },
  },
  run: async (context, { data_dir: named, with_secret_key: withSecretKey }, [folder = ""]) => {
    const { out, signal, stderr } = context;
    const { backUp } = await import("@microts/platform");
    const dataDir = await dataDirectory(context, named);
    const into = resolve(context.folder, folder);
    let progress: Progress | undefined;
    const onProgress = (bytes: number, total: number) => {
      progress ??= new Progress(stderr, !out.isJson, "MiB", Math.ceil(total / mebibyte));
      progress.add(Math.ceil(bytes / mebibyte) - progress.done);
    };
    try {
      const { files } = await backUp({ dataDir, into, withSecretKey, onProgress, signal });
      progress?.end();
      const size = Object.values(files).reduce((sum, file) => sum + file.size, 0);
      const keys = withSecretKey
        ? "It opens its secrets: keep it as safe as they are."
        : `The root key of secrets is not in it: keep a copy of ${dataDir}/keys apart.`;
      const text = `${Object.keys(files).length} files, ${Math.ceil(size / mebibyte)} MiB in ${into}. ${keys}\n`;
      await out.result({ folder: into, files }, text);
    } finally {
      progress?.end();
    }
  },
});
