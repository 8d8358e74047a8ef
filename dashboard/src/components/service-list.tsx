import { type KeyboardEvent, useEffect, useRef, useState } from "react";
import { type ServiceGroup, searchServices } from "../api/service-group.ts";
import { Link } from "./link.tsx";
import { plural } from "./plural.ts";

interface Props {
  readonly groups: readonly ServiceGroup[];
  readonly chosen: string | undefined;
}

export function ServiceList({ groups, chosen }: Props) {
  const [search, setSearch] = useState("");
  const nav = useRef<HTMLElement>(null);
  const found = searchServices(groups, search);
  useSlashKey(nav);
  return (
    <nav className="service-list" aria-label="Services" ref={nav} onKeyDown={(event) => moveFocus(event, nav.current)}>
      <label htmlFor="service-search" className="visually-hidden">
        Search services
      </label>
      <input
        id="service-search"
        type="search"
        placeholder="Search services"
        title="Press / to search"
        value={search}
        onChange={(event) => setSearch(event.target.value)}
        spellCheck={false}
        autoComplete="off"
      />
      <ul>
        {found.map((group) => (
          <li key={group.name}>
            <Link to={{ service: group.name }} aria-current={group.name === chosen ? "page" : undefined}>
              <strong>{group.name}</strong>
              <span className="version">{group.versions.map(({ version }) => version).join(", ")}</span>
              <span className="counts">
                {plural(group.nodeCount, "node")} · {plural(group.endpoints.length, "endpoint")}
              </span>
            </Link>
          </li>
        ))}
      </ul>
      <p className="hint" role="status">
        {found.length === groups.length
          ? plural(groups.length, "service")
          : `${found.length} of ${plural(groups.length, "service")}`}
      </p>
    </nav>
  );
}

/** The arrow keys walk through the search box and the links below it. */
function moveFocus(event: KeyboardEvent, nav: HTMLElement | null): void {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (step === undefined || nav === null) return;
  const stops = [...nav.querySelectorAll<HTMLElement>("input, a")];
  const next = stops[stops.indexOf(event.target as HTMLElement) + step];
  if (next === undefined) return;
  event.preventDefault();
  next.focus();
}

function useSlashKey(nav: { readonly current: HTMLElement | null }): void {
  useEffect(() => {
    const listen = (event: globalThis.KeyboardEvent) => {
      const isTyping = event.target instanceof HTMLElement && event.target.matches("input, textarea, select");
      if (event.key !== "/" || isTyping || event.metaKey || event.ctrlKey || event.altKey) return;
      event.preventDefault();
      nav.current?.querySelector("input")?.focus();
    };
    document.addEventListener("keydown", listen);
    return () => document.removeEventListener("keydown", listen);
  }, [nav]);
}
