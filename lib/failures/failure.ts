import type { ComponentName } from "../components/registry.ts"
import type { Exit } from "../machines/machine.ts"
import type { Finding } from "./finding.ts"

/** A value that JSON can hold, so that a failure can be recorded and read again. */
export type Plain = string | number | boolean | null | readonly Plain[] | { readonly [field: string]: Plain }

/** A program that was run ended with another status than 0. */
export interface CommandFailed {
  readonly kind: "command-failed"
  readonly argv: readonly string[]
  readonly exitCode: number
  readonly stdout: string
  readonly stderr: string
}

/** An outcome has another value than the lesson documents. A value that is undefined is left out. */
export interface Mismatch {
  readonly kind: "mismatch"
  /** The outcome's key: "03 a ConfigMap that …". For people; findings do not read it. */
  readonly outcome: string
  readonly expected?: Plain | undefined
  readonly actual?: Plain | undefined
  /** What went wrong on the way, where the actual value is an error. */
  readonly cause?: Failure | undefined
}

/** What every failure of a component's start has. */
interface OfComponent {
  readonly name: ComponentName
  /** The last lines of its log. */
  readonly log: readonly string[]
  readonly logPath: string
}

/** A component's process ended before the component was ready. */
export interface ComponentExited extends OfComponent {
  readonly kind: "component-exited"
  /** How it ended; undefined where another process than ours started it, and nobody saw its status. */
  readonly exit: Exit | undefined
  /** Milliseconds from its start to its end. */
  readonly after: number
}

/** A component's process runs, and did not become ready in time. */
export interface NotReady extends OfComponent {
  readonly kind: "not-ready"
  /** Milliseconds. */
  readonly waited: number
  /** The last answer to the readiness probe: "503: …", "connect ECONNREFUSED …"; undefined where that is not known. */
  readonly answer: string | undefined
}

/** A learner's script still runs, and no process of the component it should start has appeared in time. */
export interface NotStarted extends OfComponent {
  readonly kind: "not-started"
  /** The script that should start it; undefined where there is none. */
  readonly script: string | undefined
  /** Milliseconds. */
  readonly waited: number
}

/** A learner's script ended, and the component that it should start does not run. */
export interface ScriptEnded extends OfComponent {
  readonly kind: "script-ended"
  readonly script: string
  readonly exit: Exit
  /** Whether a process of the component was seen before the script ended. */
  readonly wasRunning: boolean
}

/** A process that holds a port. */
export interface Holder {
  readonly program: string
  readonly pid: number
  /** The address that it listens on. */
  readonly local: string
}

/** Another process listens on the port that the component should hold. */
export interface ForeignListener extends OfComponent {
  readonly kind: "foreign-listener"
  /** The component's own process. */
  readonly pid: number
  readonly port: number
  /** undefined where no process listens there any more. */
  readonly holder: Holder | undefined
}

/** A process has a component's name, and its program is not the one that the machine was given. */
export interface NotGenuine extends OfComponent {
  readonly kind: "not-genuine"
  readonly pid: number
  /** What proves it: the digests of both programs. */
  readonly evidence: string
}

/** A component's process was needed, and it does not run. */
export interface NotRunning extends OfComponent {
  readonly kind: "not-running"
}

/** The failures that belong to one component. */
export type ComponentFailure =
  | ComponentExited
  | NotReady
  | NotStarted
  | ScriptEnded
  | ForeignListener
  | NotGenuine
  | NotRunning

/** The machine has ended, and every process on it. */
export interface MachineEnded {
  readonly kind: "machine-ended"
  readonly machine: string
  /** Why, where that is known: its time is over. */
  readonly reason: string | undefined
}

/** The machine's operating system refused something. */
export interface MachineRefused {
  readonly kind: "machine-refused"
  /** The operating system's code, such as EAGAIN or ENOENT. */
  readonly code: string
  /** What was asked for and the answer, such as "spawn sh EAGAIN". */
  readonly answer: string
}

/** A command did not end in time. */
export interface Hung {
  readonly kind: "hung"
  readonly command: string
  /** Milliseconds. */
  readonly waited: number
  /** What it printed until then. */
  readonly printed: string
}

/** Programs that the lessons look with were replaced on the machine. */
export interface ProgramsReplaced {
  readonly kind: "programs-replaced"
  /** Each with the path that its name leads to now; undefined where it is gone. */
  readonly programs: readonly { readonly name: string; readonly path: string | undefined }[]
}

/** A disk has no room. */
export interface DiskFull {
  readonly kind: "disk-full"
  readonly path: string
}

/** No kubeconfig on the machine may do everything. */
export interface NoAccess {
  readonly kind: "no-access"
  /** Those that were tried, with kubectl's answer. */
  readonly tried: readonly { readonly kubeconfig: string; readonly answer: string }[]
}

/** The value at a key of etcd is neither JSON nor Kubernetes' protobuf. */
export interface Undecodable {
  readonly kind: "undecodable"
  /** Its first characters. */
  readonly begins: string
}

/** etcd refused a request. */
export interface EtcdRefused {
  readonly kind: "etcd-refused"
  /** etcd's own words. */
  readonly answer: string
}

/** A web server did not answer with status 200 in time. */
export interface NoAnswer {
  readonly kind: "no-answer"
  readonly url: string
  /** Milliseconds. */
  readonly waited: number
}

/** Anything else that was thrown. */
export interface Thrown {
  readonly kind: "thrown"
  /** The error's class. */
  readonly name: string
  readonly message: string
  /** The operating system's code, such as ECONNREFUSED; undefined where it has none. */
  readonly code: string | undefined
}

/** What went wrong, as data. Findings match its fields; sentences are built from it last (describe.ts). */
export type Failure =
  | CommandFailed
  | Mismatch
  | ComponentFailure
  | MachineEnded
  | MachineRefused
  | Hung
  | ProgramsReplaced
  | DiskFull
  | NoAccess
  | Undecodable
  | EtcdRefused
  | NoAnswer
  | Thrown

/** Finds the known cause of a failure. It must be called while the broken processes are still there. */
export type Explain = (failure: Failure) => Promise<Finding | undefined>
