// Loaded into every server process before its own code: takes a profile when the bench asks for one, and costs nothing until then.
import { Profile } from "./profile.ts";

let profile: Profile | undefined;

process.on("message", async (message) => {
  if (message === "start profile") profile = await Profile.start();
  if (message === "stop profile") process.send?.(await profile?.stop());
});
// The bench is gone, however it ended.
process.on("disconnect", () => process.kill(process.pid, "SIGTERM"));
// A listener for messages must not keep a process alive that is done.
process.channel?.unref();
