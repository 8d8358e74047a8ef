import type { Session } from "../api/contract.ts";
import { Link } from "./link.tsx";
import { Logo } from "./logo.tsx";

interface Props {
  readonly session: Session;
  readonly onSignOut: () => void;
}

export function Header({ session: { account, namespace }, onSignOut }: Props) {
  return (
    <header className="header">
      <a className="skip" href="#main">
        Skip to the service
      </a>
      <Link to={{}} className="brand">
        <Logo /> Micro
      </Link>
      <dl className="identity">
        <dt>Namespace</dt>
        <dd>{namespace}</dd>
        <dt>Account</dt>
        <dd title={account.scopes.length > 0 ? `Scopes: ${account.scopes.join(", ")}` : "No scopes"}>{account.name}</dd>
      </dl>
      <button type="button" onClick={onSignOut}>
        Sign out
      </button>
    </header>
  );
}
