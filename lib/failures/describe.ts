import { basename } from "node:path/posix"
import { cut } from "../base/cut.ts"
import { assertNever } from "../base/assert-never.ts"
import { quote } from "../base/shell.ts"
import type { Exit } from "../machines/machine.ts"
import type { ComponentExited, ComponentFailure, Failure, Plain, ScriptEnded, ScriptPlace } from "./failure.ts"

/** The largest number of characters of a value that a message contains. */
const LONGEST = 600
/** The largest number of characters of a command that a message contains. */
const LONGEST_COMMAND = 100

/** A command as a person types it, in one line and without the end of a long one: what it printed matters more. */
function shortened(argv: readonly string[]): string {
  return cut(quote(argv).replaceAll(/\s*\n\s*/g, "; "), LONGEST_COMMAND)
}

/** How a process ended, as a clause without a subject: "exited with 1". */
export function howEnded(exit: Exit | undefined): string {
  if (exit === undefined) return "ended"
  return exit.code === null ? `was ended by ${exit.signal}` : `exited with ${exit.code}`
}

/** A failure as a clause or sentence, without its cause and without a full stop. */
export function describe(failure: Failure): string {
  switch (failure.kind) {
    case "command-failed":
      return `${shortened(failure.argv)} ended with status ${failure.exitCode}: ${failure.stderr.trim() || failure.stdout.trim() || "it printed nothing"}`
    case "mismatch":
      return shown(failure.actual)
    case "component-exited":
      return `${failure.name} ${howEnded(failure.exit)}${exitTime(failure)}${startedBy(failure.place)}`
    case "not-ready":
      return `${failure.name} was not ready after ${seconds(failure.waited)}${failure.isCertain === true ? ", and cannot become ready by itself" : ""}`
    case "not-started":
      if (failure.missing !== undefined) return `No ${failure.name} runs, and there is no script ${failure.missing}`
      return `No ${failure.name} runs after ${seconds(failure.waited)}${at(failure.place, "the script is")}`
    case "script-ended":
      return `${failure.script} ${howEnded(failure.exit)}${failure.missed === undefined ? at(failure.place, "") : `, because ${lineOf(failure.missed, LONGEST_COMMAND)} has ended`}, and ${stateAtEnd(failure)}`
    case "script-runs-on":
      return `${failure.script} still runs after ${seconds(failure.waited)}${at(failure.place, "it is")}`
    case "foreign-listener":
      return `${failure.name} (pid ${failure.pid}) does not hold port ${failure.port}, ${
        failure.holder === undefined
          ? "and no process does"
          : `${failure.holder.program} (pid ${failure.holder.pid}) does`
      }`
    case "not-genuine":
      return `${failure.name} (pid ${failure.pid}) is another program`
    case "value-of-another":
      return `${failure.name} has ${failure.flag}=${failure.actual}, and not the value of ${failure.student}: ${failure.expected}`
    case "not-running":
      return `${failure.name} is not running`
    case "machine-ended":
      return `The machine ${failure.machine} has ended${failure.reason === undefined ? "" : `: ${failure.reason}`}`
    case "machine-refused":
      return failure.answer
    case "hung":
      return `${failure.command} had not ended after ${seconds(failure.waited)}; it printed ${failure.printed.trim() || "nothing"}`
    case "programs-replaced":
      return `These programs differ from those that the machine was given: ${failure.programs.map(({ name, path }) => `${name} (${path ?? "no longer there"})`).join(", ")}`
    case "disk-full":
      return `The disk is full: there is no room for ${failure.path}`
    case "no-access":
      return `No kubeconfig gives full access to the cluster${failure.tried.length === 0 ? "" : ` (${failure.tried.map(({ kubeconfig, answer }) => `${kubeconfig}: ${answer}`).join("; ")})`}`
    case "undecodable":
      return `The value in etcd is neither JSON nor protobuf: ${JSON.stringify(failure.begins)}`
    case "etcd-refused":
      return `etcd answered: ${failure.answer}`
    case "no-answer":
      return `${failure.url} did not answer with 200 within ${seconds(failure.waited)}`
    case "thrown":
      return failure.message
    default:
      return assertNever(failure)
  }
}

/** A value for people to read: the word "nothing", the text itself, or JSON. */
export function shown(value: Plain | undefined): string {
  if (value === "" || value === undefined) return "nothing"
  const text = typeof value === "string" ? value : JSON.stringify(value)
  return cut(text, LONGEST)
}

/** The path of a component's log. undefined if it does not run and has logged nothing: it may never have had one. */
export function logFileOf({ kind, log, logPath }: ComponentFailure): string | undefined {
  return kind === "not-running" && log.length === 0 ? undefined : logPath
}

/** What became of the component of a script that has ended, as a clause. */
export function stateAtEnd({ name, wasRunning, hasStarted }: ScriptEnded): string {
  if (hasStarted === true) return `what follows in it did not happen, although ${name} runs`
  return wasRunning ? `${name} still runs as before` : `no ${name} runs`
}

/** Where a script is, as the end of a clause; empty if it is not known. @param subject what is there; may be empty */
function at(place: ScriptPlace | undefined, subject: string): string {
  if (place === undefined) return ""
  return `${subject === "" ? "" : `: ${subject}`} at ${lineOf(place, LONGEST_COMMAND)}`
}

/**
 * A command of a script as a noun: "line 14 (kill -0 $!), called in line 40 (eventually kubectl version)".
 * @param longest the largest number of characters of a command
 */
export function lineOf(place: ScriptPlace, longest: number): string {
  const named = ({ file, line, command }: ScriptPlace) =>
    `line ${line}${file === place.file ? "" : ` of ${basename(file)}`} (${cut(command, longest)})`
  return `${named(place)}${place.call === undefined ? "" : `, called in ${named(place.call)}`}`
}

/** When a component ended: after its start or later, and how often. */
function exitTime({ after, wasReady, isBack, times }: ComponentExited): string {
  const time = after === undefined ? (wasReady === true ? "" : " at once") : ` after ${seconds(after)}`
  const again = isBack === true ? ", and was started again" : ""
  return `${wasReady === true ? " by itself" : ""}${time}${times === undefined ? "" : `, for the ${ordinal(times)} time`}${again}`
}

/** The command that started a component, as the end of a clause; empty if it is not known. */
function startedBy(place: ScriptPlace | undefined): string {
  return place === undefined ? "" : ` (started in line ${place.line} of ${basename(place.file)})`
}

function ordinal(number: number): string {
  return ["first", "second", "third"][number - 1] ?? `${number}th`
}

function seconds(milliseconds: number): string {
  return `${(milliseconds / 1000).toFixed(1)} s`
}
