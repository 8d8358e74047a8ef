export { type BlobDriver, type BlobInfo, type BlobRange, type BlobStat, wholeBlob } from "./blob-driver.ts";
export { RemoteBlobs } from "./blob-remote.ts";
export { blobMethods } from "./blob-service.ts";
export {
  type BlobOptions,
  Blobs,
  type BlobsOptions,
  defaultMaxBlobBytes,
  type ListBlobOptions,
  type ReadBlobOptions,
  type WriteBlobOptions,
} from "./blobs.ts";
export { type Change, maxMetadataBytes, maxValueBytes, type RecordOptions } from "./changes.ts";
export {
  platformDatabase,
  type StoreChange,
  type StoreDriver,
  type StoredRecord,
  type StoreEvent,
  type StoreMark,
  type StoreMatch,
  type StoreQuery,
  type StoreRecord,
  type StoreTable,
  type StoreWatch,
} from "./driver.ts";
export { jsonOf } from "./json.ts";
export { bytesOfKey, keyOfBytes } from "./keys.ts";
export { maxKeyBytes, maxNameBytes } from "./names.ts";
export { RemoteStore } from "./remote.ts";
export { storeMethods } from "./service.ts";
export {
  type DeleteOptions,
  type ListOptions,
  type MatchOptions,
  Store,
  type TableOptions,
  type WatchOptions,
  type WriteOptions,
} from "./store.ts";
