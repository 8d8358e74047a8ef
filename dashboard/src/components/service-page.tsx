import { useState } from "react";
import type { ServiceGroup } from "../api/service-group.ts";
import { navigate } from "../route.ts";
import { EndpointPanel } from "./endpoint-panel.tsx";
import { Link } from "./link.tsx";
import { NodeTable } from "./node-table.tsx";

interface Props {
  readonly group: ServiceGroup;
  /** It was here and isn't any more. */
  readonly isGone: boolean;
  /** The endpoint that the address names. */
  readonly chosen: string | undefined;
  readonly namespace: string;
}

export function ServicePage({ group, isGone, chosen, namespace }: Props) {
  const { name, versions, endpoints } = group;
  const [opened, setOpened] = useState<ReadonlySet<string>>(() => new Set([chosen ?? endpoints[0]?.name ?? ""]));
  function toggle(endpoint: string) {
    const isOpen = opened.has(endpoint);
    setOpened(isOpen ? opened.difference(new Set([endpoint])) : opened.union(new Set([endpoint])));
    if (!isOpen) navigate({ service: name, endpoint }, { replace: true });
  }
  return (
    <article>
      <Link to={{}} className="back">
        All services
      </Link>
      <h1 className="service-title">
        {name}
        {versions.map(({ version }) => (
          <span key={version} className="version">
            {version}
          </span>
        ))}
      </h1>
      {isGone && (
        <p className="notice" role="status">
          This service isn't running at the moment. What you have typed stays here.
        </p>
      )}
      <h2>Nodes</h2>
      <NodeTable versions={isGone ? [] : versions} />
      <h2>Endpoints</h2>
      {endpoints.length === 0 && <p className="hint">This service has registered no endpoints.</p>}
      {endpoints.map((endpoint) => (
        <EndpointPanel
          key={endpoint.name}
          service={name}
          endpoint={endpoint}
          namespace={namespace}
          isOpen={opened.has(endpoint.name)}
          onToggle={() => toggle(endpoint.name)}
        />
      ))}
    </article>
  );
}
