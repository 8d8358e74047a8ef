import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";

/** A call of one stream's worth of messages. */
export interface NodeCall {
  readonly address: string;
  readonly path: string;
  readonly metadata: readonly (readonly [string, string])[];
  readonly messages: readonly Uint8Array[];
}

/** What the client has seen of the answer: metadata and trailers that begin with x or y, messages in hexadecimal, the gRPC status. */
export interface NodeAnswer {
  readonly metadata: Readonly<Record<string, string>>;
  readonly messages: readonly string[];
  readonly status: number;
  readonly trailers: Readonly<Record<string, string>>;
}

/** More than the calls of one process leave behind. */
const noCollection = ["--min-semi-space-size=64", "--max-semi-space-size=64", "--no-memory-reducer"];
const callsOfAProcess = 50;

/**
 * `node:http2`'s client, in processes of its own that never collect garbage: Node.js aborts when it collects a session whose answer was cut or
 * malformed (`Http2Session::~Http2Session`, "current_nghttp2_memory_ == 0"), some time after the call and in the midst of another test.
 */
export class NodeHttp2Client implements Disposable {
  #process: ChildProcess | undefined;
  #calls = 0;

  /** One call at a time. */
  async call(asked: NodeCall): Promise<NodeAnswer> {
    if (this.#calls++ % callsOfAProcess === 0) this.#restart();
    const ended = new AbortController();
    const process = this.#process as ChildProcess;
    process.send(asked);
    const over = once(process, "exit", { signal: ended.signal }).then(([code, signal]) => {
      throw new Error(`the process with node:http2's client has ended (${signal ?? code})`);
    });
    try {
      const [answer] = await Promise.race([once(process, "message", { signal: ended.signal }), over]);
      return answer as NodeAnswer;
    } finally {
      ended.abort();
      over.catch(() => {});
    }
  }

  [Symbol.dispose](): void {
    // Its ordinary end would run the destructors too.
    this.#process?.kill("SIGKILL");
  }

  #restart(): void {
    this[Symbol.dispose]();
    const file = new URL("node-http2-call.ts", import.meta.url);
    this.#process = fork(file, { execArgv: noCollection, serialization: "advanced" });
  }
}
