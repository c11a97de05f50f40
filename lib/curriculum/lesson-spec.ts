import type { Permission } from "../clusters/permission.ts"
import type { Subject } from "../subjects/subject.ts"
import type { Extra } from "../clusters/artifacts.ts"
import type { Changes } from "../clusters/stage.ts"
import type { ComponentName } from "../components/component.ts"
import type { MachineName } from "../machines/network.ts"
import type { MachineFeature } from "../components/spec.ts"
import type { Hand } from "./transcript/hand.ts"

/** Everything that the project knows about one lesson, apart from the code of its tests. */
export interface LessonSpec {
  /** From 1, without gaps. */
  readonly number: number
  /** The end of the test file's name: "etcd" for tests/01-etcd.test.ts. */
  readonly slug: string
  /** The lesson's title in reports. */
  readonly title: string
  /** The row of the lesson in README.md: what it is about, and what it proves. */
  readonly row: { readonly topic: string; readonly proves: string }
  /**
   * The components that must run when its outcomes are checked. The first lesson that names a component brings it up.
   */
  readonly components: readonly ComponentName[]
  /**
   * The programs that it uses beside those of its components. Without them, the outcomes that need them cannot be
   * checked.
   */
  readonly extras?: readonly Extra[]
  /**
   * The further machines that it needs, each with the components that must run there. They are started in this order,
   * after the components of the first machine. The first lesson that names a component on a machine brings it up.
   */
  readonly machines?: FurtherMachines
  /** Whether its outcomes also need the cluster that kubeadm makes on machines of its own. */
  readonly needsKubeadm?: boolean
  /** What the machine must provide besides what these components require. */
  readonly requires?: readonly MachineFeature[]
  /** How components of our own cluster differ from this lesson on, in this lesson and in all later ones. */
  readonly settings?: Changes
  /**
   * For a lesson that a learner may leave out: whether the cluster has what the lesson adds, although no script of that
   * number was run. If there is neither a script nor this, the lesson is "not started".
   */
  readonly isThere?: (subject: Pick<Subject, "part">) => boolean
  /** What a learner fills in, where no script is written. */
  readonly sheet?: {
    /** The name of the file in the learner's folder. It begins with the lesson's number. */
    readonly file: string
    /** What the learner writes into it, for the README.md of the folder (Markdown, a noun phrase). */
    readonly write: string
  }
  /** What a person types in this lesson, in order: for the transcript and for the third step of hints. */
  readonly parts: readonly LessonPart[]
  /** The documented outcomes by title, in order. Each is one test. */
  readonly outcomes: Readonly<Record<string, OutcomeSpec>>
}

/** Components by the name of a further machine on which they run. A machine without components runs, too. */
export type FurtherMachines = { readonly [name in MachineName]?: readonly ComponentName[] }

/** One block of commands that a person types. */
export type LessonPart = Typed & (InScript | { readonly script?: never })

/** What a learner writes into a start script. */
interface InScript {
  /**
   * The learner's start script that contains these lines, without ".sh", such as "05-kubelet". Without a script, the
   * lines start nothing that keeps running. The name of a script for a further machine ends in "@" and the machine,
   * such as "10-kubelet@node-2". It is also the key of the hint in fixtures/hints/hints.json.
   */
  readonly script: string
  /** What the learner writes into the script, for the README.md of the learner's folder (Markdown, a noun phrase). */
  readonly write: string
}

interface Typed {
  /** The further machine on which a person types the lines; the first machine by default. */
  readonly on?: MachineName
  /** The component that the script must start. */
  readonly starts?: ComponentName
  /** Lines for bash. */
  readonly lines: (hand: Hand) => readonly string[]
}

/** One documented outcome. */
export interface OutcomeSpec {
  /** What to type on the machine to see the same by hand. */
  readonly see: string
  /** The least that the subject must permit. */
  readonly permits: Permission
  /** The components that must run before it starts; by default all components of the lesson. */
  readonly after?: readonly ComponentName[]
  /** The further machines that must run before it starts, with their components; by default all of the lesson. */
  readonly machines?: FurtherMachines
  /** What the machine must provide; by default all that the components of the lesson require. */
  readonly requires?: readonly MachineFeature[]
}
