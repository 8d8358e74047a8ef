import { authorizationKey, MicroError, requireAccount } from "@microts/core";
import { type Method, methodsOf } from "@microts/core/rpc";
import { Broker as BrokerService } from "@microts/proto/broker";
import type { Broker } from "./broker.ts";

/**
 * The endpoints of `broker.Broker` (wire §13). Anybody signed in may use the topics of their own namespace, which is their account's issuer
 * and not the one the call acts in (wire §11).
 */
export function brokerMethods(broker: Broker): Method[] {
  return methodsOf(BrokerService, {
    async publish({ topic, message }, { account, metadata, signal }) {
      const id = "broker.Broker.Publish";
      const { issuer } = requireAccount(account, id);
      if (message === undefined) throw MicroError.badRequest(id, "Missing message");
      // The caller's token stays here: subscribers could act with it. (The original hands it to all of them.)
      const { [authorizationKey]: _, ...passedOn } = metadata;
      const header = withDefaults(message.header, passedOn);
      await broker.publish(topic, message.body, { namespace: issuer, header, signal });
      return {};
    },
    async subscribe({ topic, queue }, { account, signal }) {
      const { issuer } = requireAccount(account, "broker.Broker.Subscribe");
      return broker.subscribe(topic, { namespace: issuer, queue, signal });
    },
  });
}

/** The header with what it lacks from `defaults`; names are the same whatever their case. */
function withDefaults(
  header: Readonly<Record<string, string>>,
  defaults: Readonly<Record<string, string>>,
): Record<string, string> {
  const present = new Set(Object.keys(header).map((name) => name.toLowerCase()));
  const missing = Object.entries(defaults).filter(([name]) => !present.has(name.toLowerCase()));
  return { ...header, ...Object.fromEntries(missing.map(([name, value]) => [titled(name), value])) };
}

/** As Go's metadata writes names: `micro-trace-id` is `Micro-Trace-Id` (wire §2.3). */
function titled(name: string): string {
  return name.replace(/(^|[^a-z0-9_])([a-z])/g, (_, before: string, letter: string) => before + letter.toUpperCase());
}
