import { UsageError } from "../base/errors.ts"

/** The largest number of names that a pattern may stand for. */
const MOST = 10_000

/**
 * The names that an Ansible pattern stands for: web[01:03] for web01, web02 and web03, also with letters and with a
 * step, such as [a:c] and [0:10:5].
 * @param wrong makes the error for a pattern that is no range
 * @throws UsageError
 */
export function namesIn(pattern: string, wrong: (problem: string, remedy: string) => UsageError): string[] {
  // An IPv6 address in brackets has no text before it, and is no range.
  const [, before = "", range, after = ""] = /^([^[\]]*)\[([^[\]]*)\](.*)$/.exec(pattern) ?? []
  if (range === undefined || (before === "" && range.split(":").length > 3)) {
    if (range === undefined && /[[\]]/.test(pattern)) throw badRange(pattern, wrong)
    return [pattern]
  }
  const rest = namesIn(after, wrong)
  const names = valuesOf(range, pattern, wrong).flatMap((value) => rest.map((end) => `${before}${value}${end}`))
  if (names.length > MOST) throw wrong(`${pattern} stands for more than ${MOST} names`, "Use a smaller range.")
  return names
}

function valuesOf(range: string, pattern: string, wrong: (problem: string, remedy: string) => UsageError): string[] {
  const [, from = "0", to = "", step = "1"] = /^(\d*|[a-zA-Z]):(\d+|[a-zA-Z])(?::(\d+))?$/.exec(range) ?? []
  const isNumbers = /^\d*$/.test(from) && /^\d+$/.test(to)
  const isLetters = /^[a-zA-Z]$/.test(from) && /^[a-zA-Z]$/.test(to)
  const code = (text: string) => (isNumbers ? Number(text) : (text.codePointAt(0) ?? 0))
  const [first, last] = [code(from), code(to)]
  // Leading zeros mean a fixed width, which must be the same at both ends.
  const isEven = !/^0\d/.test(from) || from.length === to.length
  if (!(isNumbers || isLetters) || !isEven || first > last || Number(step) === 0) throw badRange(pattern, wrong)
  if ((last - first) / Number(step) > MOST)
    throw wrong(`${pattern} stands for more than ${MOST} names`, "Use a smaller range.")
  return Array.from({ length: Math.floor((last - first) / Number(step)) + 1 }, (_, at) => {
    const value = first + at * Number(step)
    return isLetters ? String.fromCodePoint(value) : String(value).padStart(/^0\d/.test(from) ? from.length : 0, "0")
  })
}

function badRange(pattern: string, wrong: (problem: string, remedy: string) => UsageError): UsageError {
  return wrong(`${pattern} has no range of numbers or letters`, "Write, for example, web[01:03] or db-[a:c].")
}
