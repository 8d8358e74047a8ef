import type { ServiceClient } from "@microts/core/rpc";
import type { BlobStore } from "@microts/proto/store";
import type { Session } from "../../session.ts";

export type BlobClient = ServiceClient<(typeof BlobStore)["method"]>;

export async function blobClient(session: Session): Promise<BlobClient> {
  const { BlobStore: service } = await import("@microts/proto/store");
  return session.client(service, "store");
}
