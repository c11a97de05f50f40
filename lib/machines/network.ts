import { RemediedError } from "../base/errors.ts"
import { AgentMachine, MachineEndedError } from "./agent-machine.ts"
import type { Machine } from "./machine.ts"
import type { Answer } from "./requests.mts"
import type { Socket } from "node:net"

/** The address of the first machine of a run, in the network of the run. No other run shares this network. */
export const ADDRESS = "10.77.0.2"

/** The further machines that a run can have, with their addresses. Each machine's /etc/hosts contains all of them. */
export const MACHINES = {
  "node-2": "10.77.0.3",
  "etcd-2": "10.77.0.4",
  "etcd-3": "10.77.0.5",
  "kubeadm-1": "10.77.0.6",
  "kubeadm-2": "10.77.0.7",
} as const

/** The folder that all machines of a run see. supervisor.sh and init.sh make it. */
export const SHARED = "/shared"

export type MachineName = keyof typeof MACHINES

/** Whether a further machine of this name can be started. */
export function isMachineName(name: string): name is MachineName {
  return name in MACHINES
}

/** The field `machine` of a failure: the name of a further machine. Empty for the first. */
export function furtherMachine({ name }: Pick<Machine, "name">): { readonly machine?: MachineName } {
  return isMachineName(name) ? { machine: name } : {}
}

/** A further machine could not be started, or a link could not be changed. */
export class NetworkError extends RemediedError {}

/** The kernel, or a program, that a change of a link needs is missing on this host. */
export class LinkUnsupportedError extends NetworkError {
  /** What is missing, as the end of "cannot check here: …". */
  readonly lacks: string
  constructor(lacks: string) {
    super(`The link cannot be changed: this host ${lacks}.`, "Use a host that has it.")
    this.lacks = lacks
  }
}

/**
 * The link between a machine and the network of its run. It is changed outside the machine, where a program on the machine
 * cannot see or undo it. `await using` restores the link.
 */
export interface Link extends AsyncDisposable {
  /** The name of the machine. */
  readonly machine: string
  /** Cuts the link: packets get lost in both directions, and connections hang. */
  down(): Promise<void>
  up(): Promise<void>
  /**
   * Delays each packet to the machine. It replaces a limit.
   * @throws LinkUnsupportedError if the kernel has no netem
   */
  delay(milliseconds: number): Promise<void>
  /** Loses packets at random, in both directions. @param percent a whole number */
  lossy(percent: number): Promise<void>
  /** Limits the rate of packets to the machine. More packets wait, two seconds at most. It replaces a delay. */
  limit(kilobitsPerSecond: number): Promise<void>
  /** Ends delay, loss and limit. A cut link remains cut. */
  clear(): Promise<void>
}

/** The machines of a run, and the links between them. As long as it is not used, the first machine is alone. */
export interface Network {
  /**
   * A machine of the run. A further machine is started if it does not run; each caller gets the same machine. If its `close`
   * is called, only this machine ends, and the next call starts a new one. All end with the first.
   * @param name a name in MACHINES, or the name of the first machine
   * @throws NetworkError, MachineEndedError if the run has ended
   */
  machine(name: string): Promise<Machine>
  /** The names of the further machines that run. */
  running(): Promise<readonly MachineName[]>
  /** The link of a machine that runs. @param name a name in MACHINES, or the name of the first machine */
  link(name: string): Link
  /** The machines whose links were cut, delayed, made lossy or limited, and are not restored. */
  readonly changedLinks: readonly string[]
}

/** How the machines of a run are reached. */
export interface Reach {
  /** Opens a connection to a machine's agent. @param name undefined for the first machine */
  readonly dial: (name?: MachineName) => Socket
  /** Sends a request, see network.sh. @returns undefined if the run has ended */
  readonly ask: (words: readonly string[]) => Promise<Answer | undefined>
  /** What a machine lacks to run containers. undefined if it lacks nothing. */
  readonly lacks: string | undefined
}

/** What the kernel needs for each change of a link, as the end of "this host …". */
const NEEDS = {
  down: "cannot cut a link",
  up: "cannot cut a link",
  delay: "has no netem in its kernel (CONFIG_NET_SCH_NETEM), which delays packets",
  lossy: "has no classifier for programs in its kernel (CONFIG_NET_CLS_BPF), which loses packets",
  limit: "has no token bucket filter in its kernel (CONFIG_NET_SCH_TBF), which limits a rate",
  clear: "cannot clear a link",
} as const

/** What tc prints if the kernel has no such queue, action or classifier. */
const UNKNOWN_TO_KERNEL = /qdisc kind is unknown|No such file or directory|Operation not supported/
/** What the shell prints if there is no tc. */
const NO_TC = /tc: (?:command )?not found/

/** The network of the run of a machine that was started, or that another process has started. */
export class RunNetwork implements Network {
  readonly #first: Machine
  readonly #changed = new Set<string>()
  readonly #reach: Reach
  readonly #whyEnded: () => string | undefined
  readonly #further = new Map<MachineName, Promise<Machine>>()

  constructor(first: Machine, reach: Reach, whyEnded: () => string | undefined = () => undefined) {
    this.#first = first
    this.#reach = reach
    this.#whyEnded = whyEnded
  }

  machine(name: string): Promise<Machine> {
    if (name === this.#first.name) return Promise.resolve(this.#first)
    if (!isMachineName(name)) return Promise.reject(unknown(name))
    const known = this.#further.get(name)
    if (known !== undefined) return known
    const starting = this.#start(name)
    this.#further.set(name, starting)
    starting.catch(() => this.#further.delete(name)) // The next call tries again.
    return starting
  }

  async #start(name: MachineName): Promise<Machine> {
    await this.#ask(
      ["start", name, MACHINES[name]],
      (message) =>
        new NetworkError(
          `The machine ${name} could not be made here: ${message || "its first process ended at once"}.`,
          "npx byhand doctor says what this host can run and what to change.",
        ),
    )
    return new AgentMachine({
      name,
      address: MACHINES[name],
      lacks: this.#reach.lacks,
      dial: () => this.#reach.dial(name),
      whyEnded: this.#whyEnded,
      end: async () => {
        this.#further.delete(name)
        await this.#reach.ask(["end", name]) // If there is no answer, the whole run has ended.
      },
    })
  }

  async running(): Promise<readonly MachineName[]> {
    const answer = await this.#reach.ask(["list"])
    return (answer?.message ?? "").split("\n").filter(isMachineName)
  }

  get changedLinks(): readonly string[] {
    return [...this.#changed]
  }

  link(name: string): Link {
    if (name !== this.#first.name && !isMachineName(name)) throw unknown(name)
    const change = (word: keyof typeof NEEDS, value?: number) =>
      this.#ask(["link", name, word, ...(value === undefined ? [] : [String(Math.round(value))])], (message) => {
        if (NO_TC.test(message)) return new LinkUnsupportedError("lacks the program tc (package iproute2)")
        if (UNKNOWN_TO_KERNEL.test(message)) return new LinkUnsupportedError(NEEDS[word])
        return new NetworkError(
          `The link of ${name} cannot be changed: ${message}.`,
          `Start the machine ${name} first.`,
        )
      })
    const worsen = (word: "down" | "delay" | "lossy" | "limit", value?: number) => {
      this.#changed.add(name)
      return change(word, value)
    }
    const clear = () => change("clear")
    return {
      machine: name,
      down: () => worsen("down"),
      up: () => change("up"),
      delay: (milliseconds) => worsen("delay", milliseconds),
      lossy: (percent) => worsen("lossy", percent),
      limit: (kilobits) => worsen("limit", kilobits),
      clear,
      [Symbol.asyncDispose]: async () => {
        await clear()
        await change("up")
        this.#changed.delete(name)
      },
    }
  }

  async #ask(words: readonly string[], fail: (message: string) => Error): Promise<void> {
    const answer = await this.#reach.ask(words)
    if (answer === undefined) throw new MachineEndedError(this.#first.name, this.#whyEnded())
    if (answer.status !== 0) throw fail(answer.message)
  }
}

function unknown(name: string): NetworkError {
  return new NetworkError(
    `${name} is not the name of a machine.`,
    `The further machines of a run are: ${Object.keys(MACHINES).join(", ")}.`,
  )
}
