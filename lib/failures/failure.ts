import type { ComponentName } from "../components/registry.ts"
import type { Exit } from "../machines/machine.ts"
import type { MachineName } from "../machines/network.ts"
import type { Finding } from "./finding.ts"

/** A value that JSON can hold, so that a failure can be recorded and read again. */
export type Plain = string | number | boolean | null | readonly Plain[] | { readonly [field: string]: Plain }

/** A command ended with a status other than 0. */
export interface CommandFailed {
  readonly kind: "command-failed"
  readonly argv: readonly string[]
  readonly exitCode: number
  readonly stdout: string
  readonly stderr: string
}

/** The actual value differs from the value that the lesson documents. A value that is undefined is left out. */
export interface Mismatch {
  readonly kind: "mismatch"
  /** The key of the outcome, such as "03 a ConfigMap that …". It is for people; findings do not read it. */
  readonly outcome: string
  readonly expected?: Plain | undefined
  readonly actual?: Plain | undefined
  /** The failure that the actual value carries, if the actual value is an error. */
  readonly cause?: Failure | undefined
}

/** A command of a learner's bash script. */
export interface ScriptPlace {
  /** The absolute path of the script on the machine. */
  readonly file: string
  readonly line: number
  /** The command as the script writes it, with its variables; long commands are cut. */
  readonly command: string
  /** If the command is in a function: the command outside of all functions that led to it. */
  readonly call?: Omit<ScriptPlace, "call"> | undefined
}

/** The fields that every failure of a component has. */
interface OfComponent {
  readonly name: ComponentName
  /** The last lines of its log. */
  readonly log: readonly string[]
  readonly logPath: string
  /** The further machine on which it runs; undefined for the first. */
  readonly machine?: MachineName | undefined
  /** The errors that bash has printed about the script of a learner, such as "./01-etcd.sh: line 3: …". */
  readonly bash?: readonly string[] | undefined
}

/** A component's process ended before the component was ready, or later by itself. */
export interface ComponentExited extends OfComponent {
  readonly kind: "component-exited"
  /** Whether it was ready before it ended. The lesson did not end it. */
  readonly wasReady?: boolean
  /** Whether a supervisor of the learner has started it again. */
  readonly isBack?: boolean
  /** How often it ended and was started again by a supervisor of the learner; undefined if it was not. */
  readonly times?: number | undefined
  /** The command line of the process; undefined if it is that of our own cluster. */
  readonly argv?: readonly string[] | undefined
  /** The command of the learner's script that started it; undefined if it is not known. */
  readonly place?: ScriptPlace | undefined
  /**
   * How the process ended; undefined if this program did not start the process and so does not know its exit status.
   */
  readonly exit: Exit | undefined
  /** Time from the start of the process to its end (milliseconds); undefined if it lived too short to be measured. */
  readonly after: number | undefined
}

/** A component's process runs, but the component did not become ready in time. */
export interface NotReady extends OfComponent {
  readonly kind: "not-ready"
  /** Milliseconds. */
  readonly waited: number
  /**
   * The last answer to the readiness probe, such as "503: …" or "connect ECONNREFUSED …"; undefined if it is not known.
   */
  readonly answer: string | undefined
  /** Whether the wait ended early, because the component cannot become ready by itself. */
  readonly isCertain?: boolean
  /**
   * The kubeconfigs that give no full access, each with the answer of kubectl, if that is what it waits for and no
   * command will write another one; none if no kubeconfig exists.
   */
  readonly tried?: NoAccess["tried"] | undefined
  /** The command that the learner's script runs now; undefined if it has ended or is not known. */
  readonly place?: ScriptPlace | undefined
}

/** No process of a component has appeared: the learner's script still runs, or there is no such script. */
export interface NotStarted extends OfComponent {
  readonly kind: "not-started"
  /** The script that must start the component; undefined if none has run. */
  readonly script: string | undefined
  /** The name that a script for the component would have, such as "11-NAME@etcd-2.sh"; undefined if there is one. */
  readonly missing?: string | undefined
  /** Milliseconds. */
  readonly waited: number
  /** The command that the script runs now; undefined if it is not known. */
  readonly place?: ScriptPlace | undefined
}

/** A learner's script ended, but the component that it must start does not run. */
export interface ScriptEnded extends OfComponent {
  readonly kind: "script-ended"
  readonly script: string
  readonly exit: Exit
  /** Whether the component runs. */
  readonly wasRunning: boolean
  /** Whether this script has started it; otherwise an earlier one has. */
  readonly hasStarted?: true
  /** The last command of the script; undefined if it is not known. */
  readonly place?: ScriptPlace | undefined
  /** The command in the background whose end the script has noticed (kill -0 $!), and so ended; undefined if none. */
  readonly missed?: ScriptPlace | undefined
}

/** A learner's script that changes how components are started still runs, although all that it has started is ready. */
export interface ScriptRunsOn extends OfComponent {
  readonly kind: "script-runs-on"
  readonly script: string
  /** Milliseconds. */
  readonly waited: number
  /** The command that the script runs now. */
  readonly place: ScriptPlace
}

/** A process that listens on a port. */
export interface Holder {
  readonly program: string
  readonly pid: number
  /** The address on which it listens, with the port. */
  readonly local: string
}

/** A component has a value of another student: `byhand new --for` has given this one a value of his own. */
export interface ValueOfAnother extends OfComponent {
  readonly kind: "value-of-another"
  readonly student: string
  readonly flag: string
  readonly expected: string
  readonly actual: string
}

/** The component does not listen on its port; another process may. */
export interface ForeignListener extends OfComponent {
  readonly kind: "foreign-listener"
  /** The PID of the component's process. */
  readonly pid: number
  readonly port: number
  /** The process that listens on the port; undefined if no process does any more. */
  readonly holder: Holder | undefined
}

/** A process has a component's name, but its program differs from the one that the machine was given. */
export interface NotGenuine extends OfComponent {
  readonly kind: "not-genuine"
  readonly pid: number
  /** The digests of both programs. */
  readonly evidence: string
}

/** A component's process is needed, but it does not run. */
export interface NotRunning extends OfComponent {
  readonly kind: "not-running"
}

/** The failures that belong to one component. */
export type ComponentFailure =
  | ComponentExited
  | NotReady
  | NotStarted
  | ScriptEnded
  | ScriptRunsOn
  | ForeignListener
  | NotGenuine
  | ValueOfAnother
  | NotRunning

/** The machine has ended, and with it every process on it. */
export interface MachineEnded {
  readonly kind: "machine-ended"
  readonly machine: string
  /** Why the machine ended, such as "its time is over"; undefined if that is not known. */
  readonly reason: string | undefined
}

/** The operating system of the machine refused an operation. */
export interface MachineRefused {
  readonly kind: "machine-refused"
  /** The error code of the operating system, such as EAGAIN or ENOENT. */
  readonly code: string
  /** The operation and the error, such as "spawn sh EAGAIN". */
  readonly answer: string
}

/** A command did not end in time. */
export interface Hung {
  readonly kind: "hung"
  readonly command: string
  /** Milliseconds. */
  readonly waited: number
  /** The output of the command until the timeout. */
  readonly printed: string
}

/** Programs with which the lessons inspect the machine were replaced on it. */
export interface ProgramsReplaced {
  readonly kind: "programs-replaced"
  /** Each program with the path that its name resolves to now; undefined if the program is no longer there. */
  readonly programs: readonly { readonly name: string; readonly path: string | undefined }[]
}

/** A disk is full. */
export interface DiskFull {
  readonly kind: "disk-full"
  readonly path: string
}

/** No kubeconfig on the machine gives full access to the cluster. */
export interface NoAccess {
  readonly kind: "no-access"
  /** The kubeconfigs that were tried, each with the answer of kubectl. */
  readonly tried: readonly { readonly kubeconfig: string; readonly answer: string }[]
}

/** The value of a key in etcd is neither JSON nor Kubernetes protobuf. */
export interface Undecodable {
  readonly kind: "undecodable"
  /** The first characters of the value. */
  readonly begins: string
}

/** etcd refused a request. */
export interface EtcdRefused {
  readonly kind: "etcd-refused"
  /** The error message of etcd. */
  readonly answer: string
}

/** A web server did not answer with status 200 in time. */
export interface NoAnswer {
  readonly kind: "no-answer"
  readonly url: string
  /** Milliseconds. */
  readonly waited: number
}

/** Any other value that was thrown. */
export interface Thrown {
  readonly kind: "thrown"
  /** The name of the error's class, or the type of a value that is not an error. */
  readonly name: string
  readonly message: string
  /** The error code of the operating system, such as ECONNREFUSED; undefined if the error has none. */
  readonly code: string | undefined
}

/** What went wrong, as data. Findings match the fields. Only describe.ts builds sentences from them. */
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

/**
 * Finds the known cause of a failure. It must be called while the broken processes still exist.
 * @param certain the cause, if a wait has found it already: then another look serves only a recording
 */
export type Explain = (failure: Failure, certain?: Finding) => Promise<Finding | undefined>
