export type { BlobDriver, BlobInfo } from "./blob-driver.ts";
export { RemoteBlobs } from "./blob-remote.ts";
export { blobMethods } from "./blob-service.ts";
export {
  type BlobOptions,
  Blobs,
  type BlobsOptions,
  defaultMaxBlobBytes,
  type ListBlobOptions,
  type WriteBlobOptions,
} from "./blobs.ts";
export { platformDatabase, type StoreDriver, type StoreQuery, type StoreRecord, type StoreTable } from "./driver.ts";
export { maxKeyBytes, maxNameBytes } from "./names.ts";
export { RemoteStore } from "./remote.ts";
export { storeMethods } from "./service.ts";
export {
  type ListOptions,
  maxMetadataBytes,
  maxValueBytes,
  Store,
  type TableOptions,
  type WriteOptions,
} from "./store.ts";
