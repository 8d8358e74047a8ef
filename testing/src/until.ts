import { setTimeout as delay } from "node:timers/promises";

/** Asks again and again until the answer is right, for what becomes true a little after the call that causes it. Fails with the last answer. */
export async function until<T>(
  ask: () => Promise<T>,
  isRight: (answer: T) => boolean,
  ms = 60_000,
  pauseMs = 50,
): Promise<T> {
  const late = Date.now() + ms;
  for (;;) {
    const answer = await ask();
    if (isRight(answer)) return answer;
    if (Date.now() > late) throw new Error(`still not right after ${ms} ms: ${JSON.stringify(answer)}`);
    await delay(pauseMs);
  }
}

/** The same for what is true or isn't yet. Fails with the condition's own text. */
export async function untilTrue(condition: () => boolean | Promise<boolean>, ms = 60_000, pauseMs = 5): Promise<void> {
  const late = Date.now() + ms;
  while (!(await condition())) {
    if (Date.now() > late) throw new Error(`not true within ${ms} ms: ${condition}`);
    await delay(pauseMs);
  }
}
