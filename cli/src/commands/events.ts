import { group } from "../command.ts";
import { consume } from "./events/consume.ts";
import { remove } from "./events/delete.ts";
import { publish } from "./events/publish.ts";
import { read } from "./events/read.ts";
import { replay } from "./events/replay.ts";
import { configure, groups, lag, topics } from "./events/topics.ts";

export const events = group("Publish, read and consume durable streams of events", {
  publish,
  consume,
  read,
  replay,
  topics,
  groups,
  lag,
  configure,
  delete: remove,
});
