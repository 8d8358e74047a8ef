import { useMemo, useRef } from "react";
import type { Session } from "../api/contract.ts";
import { groupServices, type ServiceGroup } from "../api/service-group.ts";
import { useServices } from "../api/use-services.ts";
import { routeOf, usePath } from "../route.ts";
import { Header } from "./header.tsx";
import { Link } from "./link.tsx";
import { ServiceList } from "./service-list.tsx";
import { ServicePage } from "./service-page.tsx";

interface Props {
  readonly session: Session;
  /** Whether it is shown and the session lives. */
  readonly isActive: boolean;
  readonly onExpired: () => void;
  readonly onSignOut: () => void;
}

export function Workspace({ session, isActive, onExpired, onSignOut }: Props) {
  const { services, problem } = useServices(isActive, onExpired);
  const groups = useMemo(() => services && groupServices(services), [services]);
  const route = routeOf(usePath());
  return (
    <div className={route?.service === undefined ? "workspace" : "workspace has-choice"}>
      <Header session={session} onSignOut={onSignOut} />
      {problem !== undefined && (
        <p className="banner" role="status">
          {problem}
        </p>
      )}
      {groups !== undefined && <ServiceList groups={groups} chosen={route?.service} />}
      <main id="main" tabIndex={-1}>
        {route === undefined ? (
          <NoSuchPage />
        ) : (
          groups !== undefined && (
            <Choice key={route.service} groups={groups} {...route} namespace={session.namespace} />
          )
        )}
      </main>
    </div>
  );
}

interface ChoiceProps {
  readonly groups: readonly ServiceGroup[];
  readonly service?: string;
  readonly endpoint?: string;
  readonly namespace: string;
}

/** A service that goes away, as during an update, stays on the page with what has been typed. */
function Choice({ groups, service, endpoint, namespace }: ChoiceProps) {
  const lastSeen = useRef<ServiceGroup>(undefined);
  const present = groups.find(({ name }) => name === service);
  if (present !== undefined) lastSeen.current = present;
  const group = present ?? lastSeen.current;
  if (group !== undefined) {
    return <ServicePage group={group} isGone={present === undefined} chosen={endpoint} namespace={namespace} />;
  }
  if (groups.length === 0 && service === undefined) return <NothingRuns />;
  return service === undefined ? (
    <p className="empty">Choose a service to see its nodes and call its endpoints.</p>
  ) : (
    <div className="empty">
      <h1>{service}</h1>
      <p>
        No service of this name runs in the namespace <code>{namespace}</code>.
      </p>
    </div>
  );
}

function NothingRuns() {
  return (
    <div className="empty">
      <h1>No services are running yet</h1>
      <p>Run one from a terminal; it appears here by itself:</p>
      <pre>micro run ./examples/helloworld</pre>
    </div>
  );
}

function NoSuchPage() {
  return (
    <div className="empty">
      <h1>There is no such page</h1>
      <p>
        <Link to={{}}>All services</Link>
      </p>
    </div>
  );
}
