import { execa } from "execa"
import { randomBytes } from "node:crypto"
import { deferred, type Deferred } from "../../base/deferred.ts"
import { quote } from "../../base/shell.ts"
import { CommandTimeoutError } from "../agent-machine.ts"
import { HostError, HostLostError } from "./errors.ts"
import type { HostLink } from "./link.ts"
import { titleOf } from "./target.ts"

/** What a line has printed, and its exit status. */
export interface Printed {
  readonly stdout: Buffer
  readonly stderr: Buffer
  readonly exitCode: number
}

/** The exit status of a line that was ended because its time was over. */
const KILLED = 137
/** Bytes of one line's output. More than that floods the grader. */
const LONGEST_OUTPUT = 128 * 2 ** 20

/**
 * The functions of the shell on the host. They use nothing but a POSIX shell, sleep and kill.
 * ps and hostname take the place of programs that BusyBox has without these options.
 * byhand_run MARK SECONDS LINE: runs a line, and prints MARK and its exit status when it has ended. A line that runs
 * longer is killed with its children. So is one whose grader has died or lost the connection: then the process of sshd
 * that serves it has ended.
 */
const FUNCTIONS = `
byhand_kill() {
  kill -STOP "$1" 2>/dev/null
  for byhand_stat in /proc/[0-9]*/stat; do
    { read -r byhand_line <"$byhand_stat"; } 2>/dev/null || continue
    byhand_pid=\${byhand_line%% *}
    set -- "$1" \${byhand_line##*) }
    [ "$3" != "$1" ] || ( byhand_kill "$byhand_pid" )
  done
  kill -KILL "$1" 2>/dev/null
}
byhand_run() {
  ( eval "$3" ) </dev/null &
  byhand_child=$!
  ( trap 'kill $! 2>/dev/null; exit' TERM
    byhand_left=$2
    while [ "$byhand_left" -gt 0 ] && [ -d "/proc/$byhand_server" ]; do
      byhand_left=$((byhand_left - 1))
      sleep 1 &
      wait $!
    done
    byhand_kill $byhand_child ) </dev/null >/dev/null 2>&1 &
  byhand_timer=$!
  wait $byhand_child 2>/dev/null
  byhand_status=$?
  kill $byhand_timer 2>/dev/null
  wait $byhand_timer 2>/dev/null
  printf '\\n%s %s\\n' "$1" "$byhand_status"
  printf '\\n%s\\n' "$1" >&2
}
byhand_server=$PPID
while read -r byhand_line <"/proc/$byhand_server/stat"; do
  case $byhand_line in *"(sudo)"*) ;; *) break ;; esac
  set -- \${byhand_line##*) }
  byhand_server=$2
done
ps() {
  case "$*" in
    "-o ppid= -p "*)
      { read -r byhand_line <"/proc/$4/stat"; } 2>/dev/null || return 1
      set -- \${byhand_line##*) }
      echo "$2" ;;
    *) command ps "$@" ;;
  esac
}
hostname() {
  [ "$*" = -I ] || { command hostname "$@"; return; }
  byhand_address=
  while read -r byhand_mark byhand_name byhand_kind; do
    case $byhand_mark in
      "|--") byhand_address=$byhand_name ;;
      /32) case "$byhand_name $byhand_kind $byhand_address" in
        "host LOCAL 127."*) ;;
        "host LOCAL "*) printf '%s ' "$byhand_address" ;;
      esac ;;
    esac
  done </proc/net/fib_trie
  echo
}
unset ENV BASH_ENV CDPATH
HISTFILE=/dev/null
LC_ALL=C
PATH=/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/sbin:/usr/local/bin:/opt/bin
export LC_ALL PATH
umask 077
cd /
`

/** A line that runs, or waits for those before it. */
interface Pending {
  readonly mark: string
  readonly line: string
  /** Milliseconds. */
  readonly limit: number
  readonly answer: Deferred<Printed>
}

/**
 * One shell on a host. Lines are sent without waiting for the answers to earlier ones, so that many of them cost one
 * round trip. The shell runs them one after another.
 */
export class HostShell {
  readonly #link: HostLink
  readonly #process
  readonly #pending: Pending[] = []
  #stdout = Buffer.alloc(0)
  #stderr = Buffer.alloc(0)
  #count = 0
  #nonce = randomBytes(12).toString("hex")
  #isOver = false

  /**
   * @param start the line that becomes the shell, such as "exec sudo -n sh"
   * @param input what that line reads before the shell does, such as a password
   */
  constructor(link: HostLink, start: string, input: string) {
    this.#link = link
    const [file = "", ...args] = link.shell(start)
    this.#process = execa(file, args, { stdin: "pipe", stdout: "pipe", stderr: "pipe", buffer: false, reject: false })
    this.#process.stdin.on("error", () => undefined) // The end of the process reports it.
    this.#process.stdout.on("data", (chunk: Buffer) => {
      this.#stdout = Buffer.concat([this.#stdout, chunk])
      this.#settle()
    })
    this.#process.stderr.on("data", (chunk: Buffer) => {
      this.#stderr = Buffer.concat([this.#stderr, chunk])
      this.#settle()
    })
    void this.#process.then(() => {
      this.#isOver = true
      for (const { answer } of this.#pending.splice(0)) answer.reject(new HostLostError(link.target))
    })
    this.#process.stdin.write(`${input}${FUNCTIONS}`)
  }

  /** What the shell has printed to standard error outside of lines, such as why it could not start. */
  get complaint(): string {
    return this.#stderr.toString().trim()
  }

  /**
   * Runs a line of a POSIX shell on the host. Its standard input is empty.
   * @param limit milliseconds; then the line is killed on the host
   * @throws CommandTimeoutError, HostLostError
   */
  run(line: string, limit: number): Promise<Printed> {
    if (this.#isOver) return Promise.reject(new HostLostError(this.#link.target))
    const mark = `${this.#nonce}-${++this.#count}`
    const answer = deferred<Printed>()
    this.#pending.push({ mark, line, limit, answer })
    this.#process.stdin.write(`byhand_run ${mark} ${Math.max(1, Math.ceil(limit / 1000))} ${quote([line])}\n`)
    return answer.promise
  }

  /** Ends the shell. */
  async close(): Promise<void> {
    this.#process.stdin.end()
    await this.#process
  }

  /** Gives each line its part of the output, as soon as both streams have its mark. */
  #settle(): void {
    for (let first = this.#pending[0]; first !== undefined; first = this.#pending[0]) {
      if (this.#stdout.length + this.#stderr.length > LONGEST_OUTPUT) return this.#drown()
      const end = Buffer.from(`\n${first.mark} `)
      const at = this.#stdout.indexOf(end)
      const status = at < 0 ? -1 : this.#stdout.indexOf("\n", at + end.length)
      const errorEnd = Buffer.from(`\n${first.mark}\n`)
      const errorAt = this.#stderr.indexOf(errorEnd)
      if (status < 0 || errorAt < 0) return
      const printed = {
        stdout: this.#stdout.subarray(0, at),
        stderr: this.#stderr.subarray(0, errorAt),
        exitCode: Number(this.#stdout.subarray(at + end.length, status).toString()),
      }
      this.#stdout = this.#stdout.subarray(status + 1)
      this.#stderr = this.#stderr.subarray(errorAt + errorEnd.length)
      this.#pending.shift()
      const { line, limit, answer } = first
      // A program that kills itself in this way cannot be told from one that was ended here, and is rarer.
      if (printed.exitCode === KILLED)
        answer.reject(
          new CommandTimeoutError(line.slice(0, 200), limit, printed.stderr.toString() || printed.stdout.toString()),
        )
      else answer.resolve(printed)
    }
  }

  /** Ends a shell whose host sends more than any look needs. */
  #drown(): void {
    const error = new HostError(
      `${titleOf(this.#link.target)} has sent more than ${LONGEST_OUTPUT / 2 ** 20} MiB for one question.`,
      "Look at the host: a program in its PATH or a file does not end.",
    )
    this.#stdout = Buffer.alloc(0)
    this.#stderr = Buffer.alloc(0)
    for (const { answer } of this.#pending.splice(0)) answer.reject(error)
    this.#process.kill("SIGTERM")
  }
}
