import { type RpcClient, type ServiceClient, serviceClient } from "@microts/core/rpc";
import { Api } from "@microts/proto/api";
import type { BlockEntry, BlockListDriver } from "./driver.ts";

/** The block list of a server, called over RPC. Does not close the client it was given. */
export class RemoteBlockList implements BlockListDriver {
  readonly name = "remote";
  readonly #api: ServiceClient<(typeof Api)["method"]>;

  constructor(rpc: RpcClient) {
    this.#api = serviceClient(Api, rpc, "api");
  }

  async add(entry: BlockEntry, signal: AbortSignal): Promise<void> {
    await this.#api.addToBlockList(entry, { signal });
  }

  async remove(entry: BlockEntry, signal: AbortSignal): Promise<void> {
    await this.#api.removeFromBlockList(entry, { signal });
  }

  async list(signal: AbortSignal): Promise<BlockEntry[]> {
    const { ids } = await this.#api.readBlockList({}, { signal });
    return ids.map((text) => {
      // A namespace has no colon; an id may.
      const colon = text.indexOf(":");
      return { namespace: text.slice(0, colon), id: text.slice(colon + 1) };
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}
