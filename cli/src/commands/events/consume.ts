import { command } from "../../command.ts";
import { followed } from "../../follow.ts";
import { isTopic, parsePosition, positionHelp } from "./place.ts";
import { eventJson, eventLine } from "./print.ts";

export const consume = command({
  summary: "Print events as they come; each is handled once it is printed",
  args: "<topic>",
  examples: [
    "events consume orders --from earliest",
    "events consume orders --group audit --count 10",
    "events consume orders --from 1h --output json",
  ],
  flags: {
    group: { kind: "text", short: "g", help: "share the events with this group, which remembers where it is" },
    from: { kind: "text", short: "f", fallback: "latest", help: `where a new group begins: ${positionHelp}` },
    count: { kind: "int", short: "c", help: "end after so many" },
    verbose: { kind: "bool", short: "v", help: "show offset, time and metadata too" },
  },
  run: async (context, { group = "", from, count, verbose }, [topic = ""]) => {
    const { out, session, signal } = context;
    const [{ AckRequestSchema, ConsumeRequestSchema, EventSchema }, { decodeMessage, encodeMessage }] =
      await Promise.all([import("@microts/proto/events"), import("@microts/core/codec")]);
    const namespace = await session.namespace();
    const rpc = await session.rpc();
    let position = parsePosition("from", from);
    let answer: WritableStreamDefaultWriter<Uint8Array> | undefined;
    let current: AsyncGenerator<Uint8Array> | undefined;
    const open = async () => {
      const place = { topic, group, from: position, namespace, retryLimit: -1n, maxUnanswered: 64 };
      const answers = new TransformStream<Uint8Array, Uint8Array>();
      const request = encodeMessage(ConsumeRequestSchema, place, "proto");
      current = await rpc.openStream("events", "Stream.Consume", request, { signal }, answers.readable);
      answer = answers.writable.getWriter();
      return current;
    };
    // Not waited for, as a server that goes away takes none: what it has not taken comes again.
    const say = (given: { id: string; offset?: bigint; release?: boolean }) =>
      answer?.write(encodeMessage(AckRequestSchema, { ...given, success: true }, "proto")).catch(() => {});
    const isThere = topic === "" || (await isTopic(context, topic));
    const events = followed(context, await open(), open);
    if (!isThere)
      out.warn(
        `There is no topic "${topic}" in ${namespace} yet: waiting for its first event. See: micro events topics`,
      );
    out.note(`consuming ${topic}; Ctrl-C ends it`);
    let left = count ?? Number.POSITIVE_INFINITY;
    // By hand: a loop would end the call when it is left, before the server has the last answers.
    for (let next = left > 0 ? await events.next() : undefined; next && !next.done; next = await events.next()) {
      const event = decodeMessage(EventSchema, next.value, "proto");
      await out.write(out.isJson ? `${JSON.stringify(eventJson(event))}\n` : eventLine(event, verbose));
      void say({ id: event.id, offset: event.offset });
      // Without a group the server doesn't know where this was.
      position = { offset: event.offset + 1n };
      if (--left === 0) break;
    }
    // The farewell: the server takes back what came ahead, and ends the call once it has taken the answers.
    void say({ id: "", release: true });
    for (let next = await current?.next(); next && !next.done; ) next = await current?.next();
  },
});
