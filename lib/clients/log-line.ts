import { z } from "zod"

/** A line of klog, the format of Kubernetes' components: level, process, place in the source, and words. */
export const KLOG = /^([IWEF])\d{4} \d\d:\d\d:\d\d\.\d+\s+(?<pid>\d+) (\S+?:\d+)\] (.*)$/s
/** containerd's format, which is logfmt. */
const LOGFMT = /^time="[^"]*" level=(\w+) msg=(.*)$/s

/** A line of etcd's log. */
const json = z.looseObject({ level: z.string(), msg: z.string() })
/** The fields of etcd's lines that say where the line was printed, not what happened. */
const NOISE = ["level", "ts", "caller", "msg", "logger", "stacktrace"]

/**
 * A line of a component's log as a person reads it: its level and its words. Date, time and process are left out, so
 * that the same complaint is the same text each time. Any other line stays as it is.
 */
export function readable(line: string): string {
  const klog = KLOG.exec(line)
  if (klog !== null) return `${klog[1]} ${klog[3]}: ${klog[4]}`
  const logfmt = LOGFMT.exec(line)
  if (logfmt !== null) return `${logfmt[1]}: ${logfmt[2]}`
  if (!line.startsWith("{")) return line
  const fields = fieldsOf(line)
  if (fields === undefined) return line
  const others = Object.entries(fields)
    .filter(([name]) => !NOISE.includes(name))
    .map(([name, value]) => ` ${name}=${typeof value === "string" ? value : JSON.stringify(value)}`)
  return `${fields.level}: ${fields.msg}${others.join("")}`
}

function fieldsOf(line: string): z.infer<typeof json> | undefined {
  try {
    return json.parse(JSON.parse(line))
  } catch {
    return undefined // It is not a line of etcd's log.
  }
}

/**
 * Lines of a log for a narrow screen. Of lines that differ only in numbers, such as ports and durations, the last one
 * is kept, with their count in front.
 */
export function folded(lines: readonly string[]): string[] {
  const seen = new Map<string, { text: string; count: number }>()
  for (const line of lines) {
    const text = readable(line)
    const key = text.replaceAll(/\d+/g, "#")
    const count = (seen.get(key)?.count ?? 0) + 1
    seen.delete(key) // Its new place is the place of the last one.
    seen.set(key, { text, count })
  }
  return [...seen.values()].map(({ text, count }) => (count === 1 ? text : `(× ${count}) ${text}`))
}
