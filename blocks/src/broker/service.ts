import { authorizationKey, MicroError, requireAccount } from "@microts/core";
import { type Method, methodsOf } from "@microts/core/rpc";
import { Broker as BrokerService } from "@microts/proto/broker";
import type { Broker } from "./broker.ts";
import type { BrokerMessage } from "./driver.ts";
import { decodePublish, encodeDelivery, topicHeader } from "./wire.ts";

/**
 * The endpoints of `broker.Broker` (wire §13). Anybody signed in may use the topics of their own namespace, which is their account's issuer
 * and not the one the call acts in (wire §11).
 */
export function brokerMethods(broker: Broker): Method[] {
  const methods = methodsOf(BrokerService, {
    async publish({ topic, message }, { account, metadata, signal }) {
      const id = "broker.Broker.Publish";
      const { issuer } = requireAccount(account, id);
      if (message === undefined) throw MicroError.badRequest(id, "Missing message");
      const header = completed(message.header, topic, metadata);
      await broker.publish(topic, message.body, { namespace: issuer, header, signal });
      return {};
    },
    async subscribe({ topic, queue, disconnectWhenSlow }, { account, signal }) {
      const { issuer } = requireAccount(account, "broker.Broker.Subscribe");
      const whenSlow = disconnectWhenSlow ? "disconnect" : "drop";
      return broker.subscribe(topic, { namespace: issuer, queue, whenSlow, signal });
    },
  });
  return methods.map((method) => {
    if (method.name === "Broker.Publish") return { ...method, decode: decodePublish };
    return { ...method, encode: (value, format) => encodeDelivery(value as BrokerMessage, format) };
  });
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

/** As Go's metadata writes names: `micro-trace-id` is `Micro-Trace-Id` (wire §2.3). */
function titled(name: string): string {
  return name.replace(/(^|[^a-z0-9_])([a-z])/g, (_, before: string, letter: string) => before + letter.toUpperCase());
}
