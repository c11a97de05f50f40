import type { Finding, Unwell } from "../failures/finding.ts"
import type { Observation } from "./observation.ts"
import { isUnwell, type Shown, type Symptom } from "./symptom.ts"
import { absent } from "./symptoms/absent.ts"
import { access } from "./symptoms/access.ts"
import { apiserver } from "./symptoms/apiserver.ts"
import { containerd } from "./symptoms/containerd.ts"
import { etcd } from "./symptoms/etcd.ts"
import { images } from "./symptoms/images.ts"
import { kubelet } from "./symptoms/kubelet.ts"
import { machine } from "./symptoms/machine.ts"
import { network } from "./symptoms/network.ts"
import { pods } from "./symptoms/pods.ts"
import { scheduler } from "./symptoms/scheduler.ts"
import { impostors, strangers } from "./symptoms/strangers.ts"

/** Whatever is known to go wrong. What stands below, by the order of the lessons, explains what stands upon it; a bare absence explains least. */
export const catalogue: readonly Symptom[] = [
  impostors,
  machine,
  etcd,
  apiserver,
  access,
  scheduler,
  containerd,
  kubelet,
  network,
  images,
  pods,
  strangers,
  absent,
].flat()

/** Characters of a line that was logged; the rest tells a person no more. */
const LONGEST_EVIDENCE = 300
/** Last lines of a log that nothing is known about. */
const LAST_LINES = 8

/** What is found in an observation, the most telling first; one finding for each id and component. */
export function diagnose(seen: Observation): Finding[] {
  const findings = new Map<string, Finding>()
  for (const symptom of catalogue) {
    const key = `${symptom.component} ${symptom.id}`
    const shown = findings.has(key) ? undefined : symptom.sign(seen)
    if (shown !== undefined) findings.set(key, findingOf(symptom, shown, seen))
  }
  return [...findings.values()]
}

function findingOf(
  { id, component, cause, remedy, look }: Symptom,
  { evidence, names = [] }: Shown,
  seen: Observation,
): Finding {
  const fill = (text: string) =>
    withoutSecrets(
      text.replaceAll(/\$(\d)/g, (_, at: string) => names[Number(at) - 1] ?? ""),
      seen,
    )
  const line = withoutSecrets(evidence, seen)
  return {
    id,
    component,
    cause: fill(cause),
    remedy: fill(remedy),
    look: fill(look),
    evidence: line.length > LONGEST_EVIDENCE ? `${line.slice(0, LONGEST_EVIDENCE - 1)}…` : line,
  }
}

/** Every component that is not well. */
export function unwell(seen: Observation): Unwell[] {
  return seen.components.filter(isUnwell).map(({ name, state, answer, logPath, log }) => ({
    name,
    logPath,
    lastLines: log.slice(-LAST_LINES).map((line) => withoutSecrets(line, seen)),
    state:
      state === "absent"
        ? "does not run"
        : state === "stopped"
          ? "is frozen (SIGSTOP)"
          : `is not well: ${withoutSecrets(answer?.text.split("\n")[0] ?? "", seen)}`,
  }))
}

/** A text with every token that the observed files hold blotted out. */
function withoutSecrets(text: string, { files }: Observation): string {
  let safe = text
  for (const [path, content] of files) {
    const tokens = /token/i.test(path)
      ? content.split("\n").map((line) => line.split(",")[0] ?? "")
      : [...content.matchAll(/\btoken: *"?([^\s"]+)/g)].map(([, token = ""]) => token)
    for (const token of tokens) if (token.length >= 8) safe = safe.replaceAll(token, "…")
  }
  return safe
}
