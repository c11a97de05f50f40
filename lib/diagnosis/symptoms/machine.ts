import type { Observation } from "../observation.ts"
import { scriptsOf } from "../scripts.ts"
import { first, matched, said, symptom, type Symptom } from "../symptom.ts"

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
    id: "proxy-in-between",
    component: undefined,
    sign: (seen) => {
      const pattern = /proxyconnect tcp: (?:dial tcp (?:lookup )?([^\s:]+(?::\d+)?))|Proxy Authentication Required/
      const shown =
        said(pattern)(seen) ??
        (seen.failure === undefined
          ? undefined
          : first(seen.components, ({ log }) => matched(log.slice(-200).toReversed(), pattern)))
      const set = seen.components.flatMap(({ name, env = {} }) =>
        Object.entries(env).flatMap(([variable, value]) =>
          /^(?:https?|all)_proxy$/i.test(variable) && value !== "" ? [{ name, variable, value }] : [],
        ),
      )
      const one = set.find(({ variable }) => /^https/i.test(variable)) ?? set[0]
      return shown === undefined || one === undefined
        ? undefined
        : {
            evidence: `environment of ${one.name}: ${one.variable}=${one.value}; ${shown.evidence}`,
            name: one.name,
            variables: [...new Set(set.filter(({ name }) => name === one.name).map(({ variable }) => variable))].join(
              " ",
            ),
            value: one.value,
          }
    },
    cause: ({ name, variables, value }) =>
      `${name} was started with a proxy in its environment (${variables}, ${value}), so it sends its requests to other addresses than loopback through that proxy, those to the cluster too`,
    remedy: ({ name, variables }, seen) =>
      `unset ${variables} before ${name} starts, or exclude the addresses of the cluster: export NO_PROXY=127.0.0.1,localhost,${nodeAddressOf(seen)},10.0.0.0/8,.svc,.cluster.local`,
    look: ({ name }) => `tr '\\0' '\\n' </proc/$(pidof ${name})/environ | grep -i proxy`,
  }),
  symptom({
    id: "too-many-open-files",
    component: undefined,
    sign: (seen) => {
      const pattern = /(.*(?:too many open files|EMFILE).*)/i
      const lines = seen.failure !== undefined && "log" in seen.failure ? seen.failure.log : []
      const shown =
        seen.failure === undefined
          ? undefined
          : (said(pattern)(seen) ??
            matched(lines, pattern) ??
            first(seen.components, ({ log }) => matched(log.slice(-300), pattern)))
      if (shown === undefined || /inotify/.test(shown.evidence)) return undefined
      const set = first(scriptsOf(seen), ({ name, text }) =>
        matched(
          text.split("\n").map((line, at) => `${name}:${at + 1}: ${line.trim()}`),
          /^([^:]+:\d+): .*\b(ulimit -(?:[HS]*n) *\d+|prlimit .*nofile\S*)/,
          "place",
          "command",
        ),
      )
      return {
        evidence: shown.evidence,
        where: set === undefined ? "" : ` (${set.place}: ${set.command})`,
        remedy:
          set === undefined
            ? "Raise the limit in the script that starts the component: ulimit -n 65536"
            : `Remove "${set.command}" from ${set.place}, or raise it: ulimit -n 65536`,
      }
    },
    cause: ({ where }) =>
      `a component has reached its limit of open files${where.replace("(empty)", "")}: every connection is one of them`,
    remedy: ({ remedy }) => remedy,
    look: "grep -H 'open files' /proc/[0-9]*/limits | sort -k5 -n | head; ulimit -n",
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

/** The address of the Node that the API holds. */
function nodeAddressOf({ api }: Observation): string {
  const status = api?.nodes?.[0]?.["status"]
  return (
    /"InternalIP","address":"([^"]+)"|"address":"([^"]+)","type":"InternalIP"/
      .exec(JSON.stringify(status ?? {}))
      ?.slice(1)
      .find((address) => address !== undefined) ?? "NODE-ADDRESS"
  )
}
