import { defaultNamespace, requireAdmin } from "@microts/core";
import { type Method, methodsOf } from "@microts/core/rpc";
import { Api } from "@microts/proto/api";
import type { BlockList } from "./block-list.ts";

/** The gateway's own rpcs, for admins of the namespace `micro` (wire §11). `ReadBlockList` names accounts `namespace:id`. */
export function apiMethods(blockList: BlockList): Method[] {
  return methodsOf(Api, {
    addToBlockList: async ({ id, namespace }, { account, signal }) => {
      requireAdmin(account, defaultNamespace, "api.Api.AddToBlockList");
      await blockList.add({ id, namespace }, signal);
      return {};
    },
    removeFromBlockList: async ({ id, namespace }, { account, signal }) => {
      requireAdmin(account, defaultNamespace, "api.Api.RemoveFromBlockList");
      await blockList.remove({ id, namespace }, signal);
      return {};
    },
    readBlockList: async (_request, { account, signal }) => {
      requireAdmin(account, defaultNamespace, "api.Api.ReadBlockList");
      const entries = await blockList.list(signal);
      return { ids: entries.map(({ id, namespace }) => `${namespace}:${id}`) };
    },
  });
}
