import { command } from "../command.ts";

export const logout = command({
  summary: "Sign out",
  plainErrors: true,
  run: ({ session }) => session.signOut(),
});
