import { answerTests } from "./conformance/answers.ts";
import { groupTests } from "./conformance/groups.ts";
import type { EventsHarness, EventsTest } from "./conformance/harness.ts";
import { logTests } from "./conformance/log.ts";
import { topicTests } from "./conformance/topics.ts";

/** What every events driver promises; one test for each sentence of `driver.ts`. `it` of any runner fits. */
export function eventsConformance(test: EventsTest, harness: EventsHarness): void {
  logTests(test, harness);
  topicTests(test, harness);
  groupTests(test, harness);
  answerTests(test, harness);
}
