import { command } from "../../command.ts";
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
    const place = { topic, group, from: parsePosition("from", from), namespace };
    const request = encodeMessage(ConsumeRequestSchema, { ...place, retryLimit: -1n, maxUnanswered: 64 }, "proto");
    const isThere = topic === "" || (await isTopic(context, topic));
    const answers = new TransformStream<Uint8Array, Uint8Array>();
    const answer = answers.writable.getWriter();
    const rpc = await session.rpc();
    const events = await rpc.openStream("events", "Stream.Consume", request, { signal }, answers.readable);
    if (!isThere)
      out.warn(
        `There is no topic "${topic}" in ${namespace} yet: waiting for its first event. See: micro events topics`,
      );
    out.note(`consuming ${topic}; Ctrl-C ends it`);
    let left = count ?? Number.POSITIVE_INFINITY;
    const say = (given: { id: string; offset?: bigint; release?: boolean }) =>
      answer.write(encodeMessage(AckRequestSchema, { ...given, success: true }, "proto"));
    for (let next = await events.next(); left > 0 && !next.done; next = await events.next()) {
      const event = decodeMessage(EventSchema, next.value, "proto");
      await out.write(out.isJson ? `${JSON.stringify(eventJson(event))}\n` : eventLine(event, verbose));
      await say({ id: event.id, offset: event.offset });
      if (--left === 0) break;
    }
    // The farewell: the server takes back what came ahead, and ends the call once it has taken the answers.
    await say({ id: "", release: true });
    for (let next = await events.next(); !next.done; ) next = await events.next();
  },
});
