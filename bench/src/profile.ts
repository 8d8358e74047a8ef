import { type Profiler, type Runtime, Session } from "node:inspector/promises";

/** Where a process spent its time, the largest first. */
export interface Costs {
  /** By function and its file, or V8's own `(garbage collector)` and `(program)`, which is native code and system calls. */
  readonly functions: readonly Cost[];
  /** By what the function belongs to: a part of Node.js, a workspace, a package. */
  readonly places: readonly Cost[];
}

export interface Cost {
  readonly name: string;
  /** Of the time that the process was busy. */
  readonly share: number;
}

const samplingIntervalUs = 500;
const repository = new URL("../../", import.meta.url).href;

/** A sampling profile of this process. */
export class Profile {
  readonly #session: Session;

  private constructor(session: Session) {
    this.#session = session;
  }

  static async start(): Promise<Profile> {
    const session = new Session();
    session.connect();
    await session.post("Profiler.enable");
    await session.post("Profiler.setSamplingInterval", { interval: samplingIntervalUs });
    await session.post("Profiler.start");
    return new Profile(session);
  }

  async stop(): Promise<Costs> {
    const { profile } = await this.#session.post("Profiler.stop");
    this.#session.disconnect();
    return costsOf(profile);
  }
}

function costsOf({ nodes, samples = [] }: Profiler.Profile): Costs {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const frames = samples.map((id) => byId.get(id)?.callFrame).filter((frame) => frame !== undefined);
  const busy = frames.filter(({ functionName }) => functionName !== "(idle)");
  return { functions: sharesOf(busy.map(nameOf)), places: sharesOf(busy.map(placeOf)) };
}

function sharesOf(names: readonly string[]): Cost[] {
  return [...Map.groupBy(names, (name) => name)]
    .map(([name, hits]) => ({ name, share: hits.length / names.length }))
    .sort((a, b) => b.share - a.share);
}

function nameOf({ functionName, url }: Runtime.CallFrame): string {
  const name = functionName || "(anonymous)";
  if (url === "") return name.startsWith("(") ? name : `${name} (native)`;
  return `${name} ${url.startsWith("node:") ? url : url.split("/").slice(-3).join("/")}`;
}

/** A workspace is two folders of its path, such as `core/rpc`; the source folder says nothing. */
function placeOf({ functionName, url }: Runtime.CallFrame): string {
  if (functionName === "(garbage collector)") return "garbage collection";
  if (url === "") return "native code and system calls";
  const [, installed] = /\/node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(url) ?? [];
  if (installed !== undefined) return installed;
  if (url.startsWith("node:")) return url.startsWith("node:internal/http2") ? "node:http2" : "the rest of Node.js";
  const path = url.startsWith(repository) ? url.slice(repository.length) : url;
  return path.replace("src/", "").split("/").slice(0, 2).join("/");
}
