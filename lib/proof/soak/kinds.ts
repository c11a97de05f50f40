import type { Role } from "./victims.ts"

/** What can befall a run. */
export interface Kind {
  readonly name: string
  /** Whose processes get SIGKILL, all in one go. */
  readonly kills?: readonly Role[]
  /** How often Ctrl-C is pressed: SIGINT for the whole process group, as a terminal does. */
  readonly interrupts?: number
  /** The run's file system: too small from the start, or full all of a sudden. */
  readonly disk?: "small" | "fills"
  /** What it can befall; everything by default. */
  readonly on?: readonly ("lesson" | "up" | "down" | "shell")[]
}

export const KINDS: readonly Kind[] = [
  { name: "runner", kills: ["runner"] },
  { name: "worker", kills: ["worker"], on: ["lesson"] },
  { name: "runner-and-worker", kills: ["runner", "worker"], on: ["lesson"] },
  { name: "supervisor", kills: ["supervisor"] },
  { name: "component", kills: ["component"], on: ["lesson", "up", "down"] },
  { name: "machine", kills: ["machine"] },
  { name: "launcher", kills: ["launcher"] },
  { name: "all", kills: ["runner", "worker", "supervisor", "launcher", "machine", "component"] },
  { name: "ctrl-c", interrupts: 1 },
  { name: "ctrl-c-twice", interrupts: 2 },
  { name: "disk-fills", disk: "fills", on: ["lesson", "up"] },
  { name: "disk-small", disk: "small", on: ["lesson", "up"] },
]
