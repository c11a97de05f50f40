import { join } from "node:path/posix"
import { cut } from "../base/cut.ts"
import { isService } from "../components/discovery/process.ts"
import { specOf, type ComponentName } from "../components/registry.ts"
import type { ScriptPlace } from "../failures/failure.ts"
import type { Machine } from "../machines/machine.ts"
import { HOME } from "./folder.ts"

/** The folder on the machine with the traces of the scripts. Only root can read it, because scripts contain tokens. */
const FOLDER = "/run/byhand/trace"
/** The number of commands after which a trace begins anew, so that a busy loop does not fill the disk. */
const MOST = 500
/** The largest number of characters of a command that is kept. */
const LONGEST = 300

/** A command that a script ran. */
export interface TracedCommand extends ScriptPlace {
  /** The pid of the shell that ran it. */
  readonly pid: number
  /** The pid of the last background process at that time ($!); undefined if there was none. */
  readonly background: number | undefined
  /** 0 outside of functions. */
  readonly depth: number
}

/**
 * What bash runs before each script (BASH_ENV): a DEBUG trap that notes each command with its file and line. Scripts do
 * not notice: the trap changes neither $_ nor $? nor what a script prints, also under set -x, and opens no descriptor
 * that a component would inherit. With set -T, functions and subshells inherit it. Commands of bash -c are not noted.
 */
function prologue(trace: string): string {
  const steps = [
    "_BYHAND_LAST=$_",
    // A loop in a function can run on long after the command that has called the function.
    `if [ "$_BYHAND_COUNT" = ${MOST} ]; then _BYHAND_COUNT=1; printf "%s\\0" "$_BYHAND_CALL" >${trace}; fi`,
    "_BYHAND_COUNT=$((_BYHAND_COUNT + 1))",
    'if [ "${BASH_SOURCE-}" = "$0" ]; then _BYHAND_FILE=$_BYHAND_SELF; else _BYHAND_FILE=${BASH_SOURCE-}; fi',
    // Outside of functions it is unset, which is an error under set -u. In a function, main is one of them.
    "_BYHAND_DEPTH=${FUNCNAME[0]+${#FUNCNAME[@]}}; _BYHAND_DEPTH=${_BYHAND_DEPTH:-0}",
    `printf -v _BYHAND_NOW "%s\\t%s\\t%s\\t%s\\t%s\\t%s" "$BASHPID" "\${!-}" "$_BYHAND_DEPTH" "$_BYHAND_FILE" "$LINENO" "\${BASH_COMMAND:0:2000}"`,
    'if [ "$_BYHAND_DEPTH" = 0 ]; then _BYHAND_CALL=$_BYHAND_NOW; fi',
    `printf "%s\\0" "$_BYHAND_NOW" >>${trace} || :`,
    ': "$_BYHAND_LAST"',
  ]
  // The trap is one line: bash adds the lines of a trap to LINENO.
  return `if [ -z "\${BASH_EXECUTION_STRING+x}" ]; then
case $0 in /*) _BYHAND_SELF=$0 ;; *) _BYHAND_SELF=$PWD/$0 ;; esac
_BYHAND_COUNT=0
_BYHAND_CALL=
set -T
trap '{ ${steps.join("; ")}; } 2>/dev/null' DEBUG
fi
`
}

/** The trace of one script: the commands that it has run so far. */
export class Trace {
  readonly #machine: Machine
  readonly #path: string

  private constructor(machine: Machine, path: string) {
    this.#machine = machine
    this.#path = path
  }

  /**
   * Prepares a script's trace.
   * @returns the trace, and the environment with which bash must run the script
   */
  static async of(machine: Machine, script: string): Promise<{ trace: Trace; env: Readonly<Record<string, string>> }> {
    const path = join(FOLDER, script)
    await machine.write(path, "", 0o600)
    await machine.write(`${path}.env`, prologue(path), 0o600)
    return { trace: new Trace(machine, path), env: { BASH_ENV: `${path}.env` } }
  }

  /** The last commands of the script and of the bash scripts that it calls, the oldest first. */
  async commands(): Promise<TracedCommand[]> {
    const text = await this.#machine.read(this.#path).catch(() => "") // The machine is ending.
    return text.toString().split("\0").slice(0, -1).flatMap(parse)
  }
}

/**
 * The last command that a shell ran, also in a subshell for which it waited. A shell that became another program keeps
 * its pid.
 */
export function lastOf(commands: readonly TracedCommand[], pid: number): ScriptPlace | undefined {
  const inBackground = new Set(commands.map(({ background }) => background))
  const own = commands.findLastIndex((one) => one.pid === pid)
  if (own < 0) return undefined
  return placeOf(
    commands,
    commands.findLastIndex((one, at) => at >= own && (one.pid === pid || !inBackground.has(one.pid))),
  )
}

/**
 * The command that a shell has not come past: the last one that does more than let time pass. undefined if it waits for
 * what it has started in the background, as a script may until it is ended.
 */
export function stuckAt(commands: readonly TracedCommand[], pid: number): ScriptPlace | undefined {
  const last = lastOf(commands, pid)
  if (last === undefined || /^(?:wait|sleep\s+(?:inf|\d{4})|tail\b.*\s-[fF])/.test(last.command)) return undefined
  const waits = /^(?:sleep|true|echo|printf|:)(?:\s|$)/
  return lastOf(
    commands.filter(({ command }) => !waits.test(command)),
    pid,
  )
}

/**
 * The command that a shell has started in the background and then missed: its last command asks for that process
 * (kill -0 $!) or waits for it. undefined if its last command does something else.
 */
export function missedBy(commands: readonly TracedCommand[], pid: number): ScriptPlace | undefined {
  const last = commands.findLast((one) => one.pid === pid)
  const missed = last?.background
  if (last === undefined || missed === undefined || !/^(?:kill\s+-0|wait)\b/.test(last.command)) return undefined
  const within = commands.findIndex((one) => one.pid === missed)
  if (within >= 0) return placeOf(commands, within)
  // bash notes a single command before it starts it: then its process is not yet the last one in the background.
  const since = commands.findIndex((one) => one.pid === pid && one.background === missed)
  return placeOf(
    commands,
    commands.findLastIndex((one, at) => at < since && one.pid === pid),
  )
}

/** The last command that starts a component, directly or through exec, nohup and the like. */
export function lastWith(commands: readonly TracedCommand[], name: ComponentName): ScriptPlace | undefined {
  const last = commands.findLastIndex(({ command }) => {
    const words = command
      .replace(/^exec\s+-a\s+\S+/, "exec")
      .split(/\s+/)
      .map((word) => word.replaceAll(/["']/g, ""))
    const at = words.findIndex((word) => !/^(?:exec|nohup|setsid|env|sudo|-\S*|\w+=.*)$/.test(word))
    return words[at]?.split("/").at(-1) === specOf(name).program && isService(name, words.slice(at))
  })
  return placeOf(commands, last)
}

/** The place of a command, and of the command outside of all functions that led to it. */
function placeOf(commands: readonly TracedCommand[], index: number): ScriptPlace | undefined {
  const found = commands[index]
  if (found === undefined) return undefined
  const place = ({ file, line, command }: TracedCommand) => ({ file, line, command })
  const call = found.depth === 0 ? undefined : commands.slice(0, index).findLast(({ depth }) => depth === 0)
  return { ...place(found), ...(call === undefined ? {} : { call: place(call) }) }
}

function parse(record: string): TracedCommand[] {
  const [pid = "", background = "", depth = "", file = "", line = "", ...rest] = record.split("\t")
  const command = (rest.join("\t").split("\n")[0] ?? "").trim() // A here-document follows on its own lines.
  if (!/^\d+$/.test(pid) || command === "") return [] // A shell was killed while it wrote.
  return [
    {
      pid: Number(pid),
      background: background === "" ? undefined : Number(background),
      depth: Number(depth),
      file: file.startsWith("/") ? join(file) : join(HOME, file),
      line: Number(line),
      command: cut(command, LONGEST),
    },
  ]
}
