/** When a minor version of Kubernetes gets its last ordinary fix, and its last one of all. */
interface Dates {
  /** From this day on, only fixes of security and of what is critical. */
  readonly maintenance: string
  readonly end: string
}

/** https://kubernetes.io/releases/, the page of each version */
const dates: Readonly<Record<string, Dates>> = {
  "1.33": { maintenance: "2026-04-28", end: "2026-06-28" },
  "1.34": { maintenance: "2026-08-27", end: "2026-10-27" },
  "1.35": { maintenance: "2026-12-28", end: "2027-02-28" },
  "1.36": { maintenance: "2027-04-28", end: "2027-06-28" },
  "1.37": { maintenance: "2027-08-28", end: "2027-10-28" },
}

/** Whether a version of Kubernetes still gets fixes. */
export interface Support {
  readonly phase: "supported" | "maintenance" | "ended" | "unknown"
  /** As a clause without a subject, such as "supported until 2027-10-28". */
  readonly text: string
}

/** The minor version of a version: 1.37 of 1.37.2. */
export function minorOf(version: string): string {
  return version.split(".").slice(0, 2).join(".")
}

/** @param kubernetes such as 1.37.2 */
export function supportOf(kubernetes: string, today = new Date()): Support {
  const minor = minorOf(kubernetes)
  const known = dates[minor]
  const isOlder = (other: string) => minor.localeCompare(other, "en", { numeric: true }) < 0
  if (known === undefined)
    return Object.keys(dates).every(isOlder)
      ? { phase: "ended", text: "out of support" }
      : { phase: "unknown", text: "newer than this course" }
  const day = today.toISOString().slice(0, 10)
  if (day >= known.end) return { phase: "ended", text: `out of support since ${known.end}` }
  return day >= known.maintenance
    ? { phase: "maintenance", text: `in maintenance until ${known.end}` }
    : { phase: "supported", text: `supported until ${known.end}, with ordinary fixes until ${known.maintenance}` }
}
