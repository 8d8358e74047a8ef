import { MicroError } from "@microts/core";
import { Pull } from "@microts/core/rpc";
import type { Damage, EventPage, Position, ReadRange, StreamEvent } from "./driver.ts";
import { type EventReader, readerOf } from "./page-codec.ts";

type ReadPage = (range: ReadRange) => Promise<EventPage>;

/** Without `until` to the end of the topic as it is at the beginning. */
type Range = Omit<ReadRange, "limit">;

/** So many offsets are asked for at once … */
const pageOffsets = 1024;
/** … and so many times while a page is handled: the disk, the network and both processes work at the same time. */
const pagesAhead = 3;

/** All events of a range, in order. `tell` is called with damage in its place, `over` at the end of the range: what it throws ends the replay. */
export function replay(
  read: ReadPage,
  range: Range,
  tell: (damage: Damage) => void,
  over: () => void,
): AsyncGenerator<StreamEvent, void, undefined> {
  const pages = pagesOf(read, range);
  let next: EventReader = () => undefined;
  const pull = (): StreamEvent | undefined | Promise<StreamEvent | undefined> => next() ?? turn();
  const turn = async () => {
    const page = await pages.next();
    if (page.done) {
      over();
      return undefined;
    }
    page.value.damaged.forEach(tell);
    next = readerOf(page.value);
    return pull();
  };
  return new Pull(pull, () => pages.return());
}

/** Part of the range, and its page on the way. */
interface Asked {
  readonly from: number;
  readonly until: Position;
  readonly page: Promise<EventPage>;
}

async function* pagesOf(read: ReadPage, { from, until }: Range): AsyncGenerator<EventPage, void, undefined> {
  let page = await read({ from, until, limit: pageOffsets });
  const end = until ?? page.end;
  const asked: Asked[] = [];
  let askedUntil = page.next;
  for (let at = -1; ; ) {
    // What is known to be there can be asked for in several parts, what may come only bit by bit.
    const known = typeof end === "number" ? Math.min(end, page.end) : 0;
    for (; asked.length < pagesAhead && askedUntil < known; askedUntil += pageOffsets)
      asked.push(ask(read, askedUntil, Math.min(known, askedUntil + pageOffsets)));
    const isOver = typeof end === "number" && page.next >= end;
    if (asked.length === 0 && page.next > at && !isOver) asked.push(ask(read, page.next, end));
    at = page.next;
    yield page;
    const next = asked.shift();
    if (next === undefined) return;
    page = await next.page;
    if (page.next < next.from)
      throw MicroError.notFound("events.Store.Read", `the topic ends at ${page.end}: it was deleted while it was read`);
    // Large events end a page before its part of the range.
    if (typeof next.until === "number" && page.next < next.until && page.next > next.from)
      asked.unshift(ask(read, page.next, next.until));
    askedUntil = Math.max(askedUntil, page.next);
  }
}

function ask(read: ReadPage, from: number, until: Position): Asked {
  const page = read({ from, until, limit: pageOffsets });
  page.catch(() => {});
  return { from, until, page };
}
