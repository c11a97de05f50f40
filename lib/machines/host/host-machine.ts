import type { Duplex } from "node:stream"
import { lineIn, quote } from "../../base/shell.ts"
import { CommandTimeoutError, MachineError } from "../agent-machine.ts"
import { openForward } from "../forward.ts"
import type { Forward, Machine, Result, RunOptions, Spawned } from "../machine.ts"
import { HostError } from "./errors.ts"
import type { HostLink } from "./link.ts"
import { ancestry, processList, READ_PROCESSES, READ_SOCKETS, socketFilter, socketList } from "./proc.ts"
import { HostShell } from "./shell.ts"
import { rootShell } from "./sudo.ts"
import { loginCommand, titleOf } from "./target.ts"

/** The longest time of a command without a timeout of its own (milliseconds). */
const LONGEST_COMMAND = 60_000

/** What the shell tells about the host when it starts. */
const INTRODUCTION = `id -u; uname -n; uname -s; uname -m; echo $$; ${READ_PROCESSES}`

/**
 * Long options of the GNU programs, and the short ones that BusyBox has too, by program. The lessons use the long ones
 * because they explain themselves.
 */
const SHORT_OPTIONS: Readonly<Record<string, readonly (readonly [RegExp, string])[]>> = {
  stat: [
    [/--dereference\b/g, "-L"],
    [/--format=/g, "-c"],
  ],
  cmp: [[/--silent\b/g, "-s"]],
}

/**
 * A running host, which is only looked at. Nothing is copied to it: the lines of one shell go through the connection,
 * and ps and ss are read from /proc.
 */
export class HostMachine implements Machine {
  readonly name: string
  /** The hardware as uname -m names it. */
  readonly hardware: string
  readonly link: HostLink
  readonly address = ""
  readonly login: string
  readonly lacks: string | undefined
  readonly #shell: HostShell
  readonly #forwards = new Set<Forward>()
  /** The processes on the host that serve the grader. */
  readonly #ours: ReadonlySet<number>

  private constructor(link: HostLink, shell: HostShell, text: string) {
    const [id = "", name = "", , hardware = "", pid = "", ...rest] = text.split("\n")
    this.link = link
    this.login = loginCommand(link.target)
    this.#shell = shell
    this.name = name
    this.hardware = hardware
    this.lacks = id === "0" ? undefined : `needs root on ${titleOf(link.target)}, and sudo asks for a password there`
    const above = ancestry(rest.join("\n"), Number(pid))
    const server = above.findIndex(({ program }) => program.startsWith("sshd"))
    // sshd has one process for the connection, and above it one that listens. On this host it is the grader itself.
    const ours = link.target.kind === "ssh" ? above.slice(0, Math.max(server, 0) + 1) : above.slice(0, 1)
    this.#ours = new Set([...ours.map((one) => one.pid), ...(link.target.kind === "local" ? [process.pid] : [])])
  }

  /**
   * Starts the shell on the host.
   * @param password what sudo demands there; undefined if it demands none, or none is known
   * @throws HostError if the host is no Linux, or has no POSIX shell
   */
  static async open(link: HostLink, password?: string): Promise<HostMachine> {
    const { line, input } = rootShell(password)
    const shell = new HostShell(link, line, input)
    const { stdout } = await shell.run(INTRODUCTION, LONGEST_COMMAND).catch((error: unknown) => {
      throw new HostError(
        `No shell starts on ${titleOf(link.target)}: ${shell.complaint || "it ends at once"}.`,
        "The login must lead to a POSIX shell. Look at the user's shell in /etc/passwd.",
        { cause: error },
      )
    })
    const text = stdout.toString()
    if (text.split("\n")[2] !== "Linux")
      throw new HostError(`${titleOf(link.target)} does not run Linux.`, "Kubernetes' components run on Linux.")
    return new HostMachine(link, shell, text)
  }

  get privileged(): boolean {
    return this.lacks === undefined
  }

  async run(argv: readonly string[], options: RunOptions = {}): Promise<Result> {
    const command = quote(argv)
    const answer = (stdout: string): Result => ({ command, stdout, stderr: "", exitCode: 0 })
    const limit = options.timeout ?? LONGEST_COMMAND
    if (argv[0] === "ps") return answer(processList(await this.#look(READ_PROCESSES, limit)))
    const filter = argv[0] === "ss" ? socketFilter(argv.slice(1)) : undefined
    if (filter !== undefined)
      return answer(socketList(await this.#look(READ_SOCKETS, limit), filter, (pid) => this.#ours.has(pid)))
    if (options.signal?.aborted === true) throw new CommandTimeoutError(command, 0, "")
    const { stdout, stderr, exitCode } = await this.#shell.run(lineOf(argv, options), limit)
    options.onOutput?.(stdout)
    return { command, stdout: stdout.toString(), stderr: stderr.toString(), exitCode }
  }

  async #look(line: string, limit: number): Promise<string> {
    return (await this.#shell.run(line, limit)).stdout.toString()
  }

  spawn(): Promise<Spawned> {
    return Promise.reject(this.#onlyObserved("start a process"))
  }

  watch(): Promise<AsyncDisposable> {
    return Promise.reject(this.#onlyObserved("watch processes"))
  }

  async read(path: string): Promise<Buffer> {
    const { stdout, stderr, exitCode } = await this.#shell.run(`exec cat ${quote([path])}`, LONGEST_COMMAND)
    if (exitCode === 0) return stdout
    const [why, code] = /No such file/.test(stderr.toString())
      ? ["it does not exist", "ENOENT"]
      : [stderr.toString().trim(), "EACCES"]
    throw new MachineError(`${path} cannot be read on ${titleOf(this.link.target)}: ${why}.`, "Check the path.", code)
  }

  write(): Promise<void> {
    return Promise.reject(this.#onlyObserved("write a file"))
  }

  connect(port: number, host = "127.0.0.1"): Promise<Duplex> {
    return this.link.connect(port, host).then((socket) => socket.on("error", () => socket.destroy()))
  }

  async forward(port: number, host = "127.0.0.1"): Promise<Forward> {
    const forward = await openForward(() => this.connect(port, host))
    this.#forwards.add(forward)
    return forward
  }

  /** Ends the shell. The host stays as it is. */
  async close(): Promise<void> {
    await Promise.all([...this.#forwards].map((forward) => forward[Symbol.asyncDispose]()))
    await this.#shell.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #onlyObserved(what: string): MachineError {
    return new MachineError(
      `${titleOf(this.link.target)} is only looked at: byhand does not ${what} there.`,
      "This is a fault of byhand. Please report it.",
      "EPERM",
    )
  }
}

/** The line of a shell that runs a command with its environment and its input. */
function lineOf(argv: readonly string[], { env = {}, input }: RunOptions): string {
  const line = lineIn(argv)
  const variables = Object.entries(env).map(([name, value]) => `export ${name}=${quote([value])}; `)
  // A line of a lesson runs in the shell itself, with its errors as there (sh -ec).
  const command =
    line === undefined
      ? `exec ${portable(quote(argv))}`
      : `${line.flags === "-ec" ? "set -e; " : ""}${portable(line.text)}`
  const whole = `${variables.join("")}${command}`
  return input === undefined ? whole : `printf %s ${quote([input.toString()])} | { ${whole}\n}`
}

/** A line with options that BusyBox's programs have too. */
function portable(line: string): string {
  let text = line
  for (const [program, options] of Object.entries(SHORT_OPTIONS))
    if (new RegExp(String.raw`\b${program} `).test(text))
      for (const [long, short] of options) text = text.replaceAll(long, short)
  return text
}
