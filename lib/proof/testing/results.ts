import { readFileSync } from "node:fs"
import { join } from "node:path"
import { packageRoot } from "../../base/settings.ts"
import type { RunEvent } from "../../report/events.ts"
import type { OutcomeResult } from "../../report/result.ts"

/** The events of a recorded run of a learner's folder: lesson 01 passes, 02 fails, 03 is blocked, and 05 needs root. */
export function recordedEvents(): RunEvent[] {
  return readFileSync(join(packageRoot, "fixtures", "runs", "apiserver-without-etcd.jsonl"), "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as RunEvent) // A run of this suite has written them.
}

/** An outcome for tests of what reads results: it passed, and what is not given has an ordinary value. */
export function outcomeWith(given: Partial<OutcomeResult>): OutcomeResult {
  return {
    id: "01-etcd-starts",
    title: "etcd starts",
    verdict: "passed",
    counts: given.verdict === "failed" || given.verdict === "blocked",
    reason: null,
    finding: null,
    evidence: null,
    see: "etcdctl get /hello",
    milliseconds: 131,
    message: null,
    card: null,
    standIns: [],
    ...given,
  }
}
