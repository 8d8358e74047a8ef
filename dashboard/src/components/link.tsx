import type { AriaAttributes, MouseEvent, ReactNode } from "react";
import { navigate, pathTo, type Route } from "../route.ts";

interface Props {
  readonly to: Route;
  readonly className?: string;
  readonly children: ReactNode;
  readonly "aria-current"?: AriaAttributes["aria-current"];
}

/** A link to a page of the dashboard. A click with a modifier opens a tab, as with any link. */
export function Link({ to, children, ...rest }: Props) {
  function follow(event: MouseEvent) {
    if (event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    navigate(to);
  }
  return (
    <a href={pathTo(to)} onClick={follow} {...rest}>
      {children}
    </a>
  );
}
