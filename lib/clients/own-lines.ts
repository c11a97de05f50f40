import type { ComponentName } from "../components/component.ts"
import { KLOG } from "./log-line.ts"

/** The formats of logs, by how a line begins. klog's lines name the process. */
const FORMATS = {
  klog: KLOG,
  json: /^\{"level":"/,
  logfmt: /^time="[^"]*" level=/,
} as const

type Format = keyof typeof FORMATS

/** The formats of components that do not use klog. */
const NOT_KLOG: Partial<Readonly<Record<ComponentName, Format>>> = { etcd: "json", containerd: "logfmt" }

/**
 * The lines of a log that one process of a component has written. A script that starts several components leads all of
 * them to the same log. Lines without a known format are kept: any of them can have printed it. One that begins with a
 * blank goes on with the line above it.
 * @param pid the process; undefined if it is not known
 */
export function ownLines(lines: readonly string[], name: ComponentName, pid: number | undefined): string[] {
  const own = NOT_KLOG[name] ?? "klog"
  const pidOf = (line: string) => Number(KLOG.exec(line)?.groups?.["pid"] ?? Number.NaN)
  const hasPid = own === "klog" && pid !== undefined && lines.some((line) => pidOf(line) === pid)
  const others = Object.entries(FORMATS).filter(([format]) => format !== own)
  const isOwn = (line: string) =>
    !others.some(([, pattern]) => pattern.test(line)) && (!hasPid || !KLOG.test(line) || pidOf(line) === pid)
  const kept: string[] = []
  let isAboveOwn = true
  for (const line of lines) {
    if (!/^\s/.test(line)) isAboveOwn = isOwn(line)
    if (isAboveOwn) kept.push(line)
  }
  return kept.length === 0 ? [""] : kept
}
