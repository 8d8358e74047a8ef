import { type Account, authorizationKey, MicroError, requireAccount, requireMember } from "@microts/core";
import { type Method, methodsOf } from "@microts/core/rpc";
import { Broker as BrokerService } from "@microts/proto/broker";
import type { Broker } from "./broker.ts";
import type { BrokerMessage } from "./driver.ts";
import { decodePublish, encodeDelivery, topicHeader } from "./wire.ts";

/**
 * The endpoints of `broker.Broker` (wire §13). Anybody signed in may use the topics of their own namespace, which is their account's issuer
 * and not the one the call acts in (wire §11); another has to be named in the request, by an admin or service of `micro`.
 */
export function brokerMethods(broker: Broker): Method[] {
  const methods = methodsOf(BrokerService, {
    async publish({ topic, message, namespace: named }, { account, metadata }) {
      const id = "broker.Broker.Publish";
      const namespace = admitted(account, named, id);
      if (message === undefined) throw MicroError.badRequest(id, "Missing message");
      const header = completed(message.header, topic, metadata);
      // Without the call's signal: handing on is short, and a signal for each call costs more than all the rest.
      await broker.publish(topic, message.body, { namespace, header });
      return {};
    },
    async subscribe({ topic, queue, disconnectWhenSlow, namespace: named }, { account, signal }) {
      const namespace = admitted(account, named, "broker.Broker.Subscribe");
      const whenSlow = disconnectWhenSlow ? "disconnect" : "drop";
      return broker.subscribe(topic, { namespace, queue, whenSlow, signal });
    },
  });
  return methods.map((method) => {
    if (method.name === "Broker.Publish") return { ...method, decode: decodePublish };
    return { ...method, encode: (value, format) => encodeDelivery(value as BrokerMessage, format) };
  });
}

function admitted(account: Account | undefined, named: string, id: string): string {
  const { issuer } = requireAccount(account, id);
  if (named === "" || named === issuer) return issuer;
  requireMember(account, named, id);
  return named;
}

/**
 * The header as subscribers get it: with what it lacks from the caller's metadata, and with the topic, which nobody can pretend. Names are the same
 * whatever their case. The caller's token stays here: subscribers could act with it. (The original hands it to all of them.)
 */
function completed(
  header: Readonly<Record<string, string>>,
  topic: string,
  metadata: Readonly<Record<string, string>>,
): Record<string, string> {
  const whole: Record<string, string> = {};
  const present = new Set([authorizationKey, topicHeader.toLowerCase()]);
  for (const name in header) {
    const lower = name.toLowerCase();
    if (lower === "micro-topic") continue;
    present.add(lower);
    whole[name] = header[name] as string;
  }
  whole[topicHeader] = topic;
  for (const name in metadata) if (!present.has(name.toLowerCase())) whole[titled(name)] = metadata[name] as string;
  return whole;
}

const titles = new Map<string, string>();

/** As Go's metadata writes names: `micro-trace-id` is `Micro-Trace-Id` (wire §2.3). */
function titled(name: string): string {
  let title = titles.get(name);
  if (title === undefined) {
    title = name.replace(
      /(^|[^a-z0-9_])([a-z])/g,
      (_, before: string, letter: string) => before + letter.toUpperCase(),
    );
    if (titles.size < 1_000) titles.set(name, title);
  }
  return title;
}
