import { randomBytes } from "node:crypto"

/**
 * The name of the cluster to which the incidents happen. It is random, because the census uses it to find the cgroups
 * of this soak.
 */
export const STRUCK = `struck-${randomBytes(3).toString("hex")}`

/** A command that runs when the incident happens. */
export interface Target {
  readonly name: string
  readonly what: "lesson" | "up" | "down" | "shell"
  /** The arguments of npx. */
  readonly command: readonly string[]
  /** The arguments of a byhand command that must run first. */
  readonly before?: readonly string[]
}

const lesson = (number: string, file: string): Target => ({
  name: `lesson ${number}`,
  what: "lesson",
  command: ["vitest", "run", `tests/${number}-${file}.test.ts`],
})

export const SHORT_RUN = lesson("01", "etcd")
export const LONG_RUN = lesson("06", "pod")

export const TARGETS: readonly Target[] = [
  SHORT_RUN,
  lesson("02", "apiserver"),
  lesson("04", "scheduler"),
  LONG_RUN,
  { name: "up", what: "up", command: ["byhand", "up", "--name", STRUCK] },
  { name: "down", what: "down", command: ["byhand", "down", "--name", STRUCK], before: ["up", "--name", STRUCK] },
  {
    name: "shell",
    what: "shell",
    command: ["byhand", "shell", "--name", STRUCK, "sleep", "2"],
    before: ["up", "--empty", "--name", STRUCK],
  },
  {
    name: "shell on a further machine",
    what: "shell",
    command: ["byhand", "shell", "--name", STRUCK, "--on", "node-2", "sleep", "2"],
    before: ["up", "--empty", "--name", STRUCK],
  },
]
