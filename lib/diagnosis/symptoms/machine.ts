import { matched, symptom, type Symptom } from "../symptom.ts"

/** The look at how full the disks are. */
export const DISKS = "df -h /var/lib /var/log /tmp"

/** Problems of the machine itself. They belong to no component. */
export const machine: readonly Symptom[] = [
  symptom({
    id: "witness-replaced",
    component: undefined,
    sign: ({ failure }) => {
      if (failure?.kind !== "programs-replaced") return undefined
      const programs = failure.programs.map(({ name, path }) => `${name} (${path ?? "it is gone"})`).join(", ")
      return { evidence: programs, programs, names: failure.programs.map(({ name }) => name).join(" ") }
    },
    cause: ({ programs }) => `programs that the lessons look with were replaced: ${programs}`,
    remedy: "Leave those programs as they are. Keep your own programs in folders that are not on PATH.",
    look: ({ names }) => `type -a ${names}; findmnt`,
  }),
  symptom({
    id: "disk-full",
    component: undefined,
    sign: ({ looks }) => matched((looks[DISKS] ?? "").split("\n"), /^\S+ +\S+ +\S+ +0 +100% +(\S+)$/, "path"),
    cause: ({ path }) => `the disk is full: no space is left on ${path}, where components keep data and logs`,
    remedy: "Free space on the disk that holds this run's folder, or name a folder on another disk in BYHAND_RUNS.",
    look: "df -h; du -xsh /var/* /tmp",
  }),
  symptom({
    id: "disk-full",
    component: undefined,
    sign: ({ failure }) =>
      failure?.kind === "disk-full"
        ? { evidence: `df: no space is left for ${failure.path}`, path: failure.path }
        : undefined,
    cause: ({ path }) => `the disk is full: there is no room for ${path}`,
    remedy: "Free space on the disk that holds this run's folder, or name a folder on another disk in BYHAND_RUNS.",
    look: "df -h; du -xsh /var/* /tmp",
  }),
  symptom({
    id: "no-processes-left",
    component: undefined,
    sign: ({ failure }) =>
      failure?.kind === "machine-refused" && failure.code === "EAGAIN" ? { evidence: failure.answer } : undefined,
    cause: "the machine has reached its limit of processes, so it cannot start another one",
    remedy: "A program starts processes without end: look for a loop that does not wait for what it starts.",
    look: "ps -e -o ppid= | sort | uniq -c | sort -n | tail -n 3",
  }),
  symptom({
    id: "machine-ended",
    component: undefined,
    sign: ({ failure }) =>
      failure?.kind === "machine-ended"
        ? {
            evidence: `The machine ${failure.machine} has ended${failure.reason === undefined ? "" : `: ${failure.reason}`}`,
          }
        : undefined,
    cause: "the machine has ended, and with it every process that ran on it",
    remedy:
      "Its time or its memory may be used up, or a script may have killed processes that are not its own (kill -1, pkill node). Start again, and kill processes by name.",
    look: "npx byhand up --empty",
  }),
]
