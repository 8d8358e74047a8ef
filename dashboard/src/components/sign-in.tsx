import { type SubmitEvent, useState } from "react";
import { ApiError, login } from "../api/client.ts";
import type { Session } from "../api/contract.ts";
import { Logo } from "./logo.tsx";

interface Props {
  /** Why the page asks. */
  readonly notice: string | undefined;
  readonly onSignedIn: (session: Session) => void;
}

export function SignIn({ notice, onSignedIn }: Props) {
  const [problem, setProblem] = useState<string>();
  const [isBusy, setBusy] = useState(false);

  async function submit(event: SubmitEvent<HTMLFormElement>) {
    event.preventDefault();
    const data = new FormData(event.currentTarget);
    setBusy(true);
    try {
      onSignedIn(await login(String(data.get("id")).trim(), String(data.get("password"))));
    } catch (error) {
      setBusy(false);
      setProblem(error instanceof ApiError ? error.body.detail : String(error));
    }
  }

  return (
    <main className="sign-in">
      <form className="card" onSubmit={(event) => void submit(event)}>
        <h1>
          <Logo /> Micro
        </h1>
        {notice !== undefined && problem === undefined && <p className="notice">{notice}</p>}
        <label htmlFor="sign-in-id">Account</label>
        <input id="sign-in-id" name="id" autoComplete="username" required maxLength={256} spellCheck={false} />
        <label htmlFor="sign-in-password">Password</label>
        <input
          id="sign-in-password"
          name="password"
          type="password"
          autoComplete="current-password"
          required
          maxLength={1024}
        />
        {problem !== undefined && (
          <p className="problem" role="alert">
            {problem}
          </p>
        )}
        <button type="submit" className="primary" disabled={isBusy}>
          {isBusy ? "Signing in…" : "Sign in"}
        </button>
        <p className="hint">
          The same as for <code>micro login</code>.
        </p>
      </form>
    </main>
  );
}
