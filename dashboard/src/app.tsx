import { useEffect, useState } from "react";
import { ApiError, logout, readSession } from "./api/client.ts";
import type { Session } from "./api/contract.ts";
import { SignIn } from "./components/sign-in.tsx";
import { Workspace } from "./components/workspace.tsx";
import { navigate } from "./route.ts";

/** `session` stays after it has expired, so that what has been typed is still there when the same person signs in again. */
interface Access {
  readonly isLoading: boolean;
  readonly session?: Session;
  readonly notice?: string;
}

export function App() {
  const [access, setAccess] = useState<Access>({ isLoading: true });
  useEffect(() => {
    const leaving = new AbortController();
    readSession(leaving.signal).then(
      (session) => setAccess(session === undefined ? { isLoading: false } : { isLoading: false, session }),
      (error: unknown) => leaving.signal.aborted || setAccess({ isLoading: false, notice: messageOf(error) }),
    );
    return () => leaving.abort();
  }, []);

  const { isLoading, session, notice } = access;
  if (isLoading) return null;
  const isSignedIn = session !== undefined && notice === undefined;
  const expire = () => setAccess((last) => ({ ...last, notice: "Your session has ended. Sign in again to go on." }));
  return (
    <>
      {!isSignedIn && <SignIn notice={notice} onSignedIn={(next) => setAccess({ isLoading: false, session: next })} />}
      {session !== undefined && (
        <div hidden={!isSignedIn}>
          <Workspace
            key={`${session.account.id} ${session.namespace}`}
            session={session}
            isActive={isSignedIn}
            onExpired={expire}
            onSignOut={() => void signOut(() => setAccess({ isLoading: false }))}
          />
        </div>
      )}
    </>
  );
}

async function signOut(done: () => void): Promise<void> {
  await logout().catch(() => {});
  navigate({});
  done();
}

function messageOf(error: unknown): string {
  return error instanceof ApiError ? error.body.detail : String(error);
}
