import type { ProcessRole } from "./victims.ts"

/** Something that can happen to a run. */
export interface Incident {
  readonly name: string
  /** The processes that get SIGKILL, all at the same moment. */
  readonly kills?: readonly ProcessRole[]
  /** How often Ctrl-C is pressed: SIGINT for the whole process group, as a terminal does. */
  readonly interrupts?: number
  /** The run's file system is too small from the start, or becomes full at one moment. */
  readonly disk?: "small" | "fills"
  /** The kinds of targets to which it can happen; by default all. */
  readonly on?: readonly ("lesson" | "up" | "down" | "shell")[]
}

export const INCIDENTS: readonly Incident[] = [
  { name: "runner", kills: ["runner"] },
  { name: "worker", kills: ["worker"], on: ["lesson"] },
  { name: "runner-and-worker", kills: ["runner", "worker"], on: ["lesson"] },
  { name: "supervisor", kills: ["supervisor"] },
  { name: "component", kills: ["component"], on: ["lesson", "up", "down"] },
  { name: "machine", kills: ["machine"] },
  { name: "launcher", kills: ["launcher"] },
  { name: "network", kills: ["network"], on: ["lesson", "up", "shell"] },
  { name: "all", kills: ["runner", "worker", "supervisor", "network", "launcher", "machine", "component"] },
  { name: "ctrl-c", interrupts: 1 },
  { name: "ctrl-c-twice", interrupts: 2 },
  { name: "disk-fills", disk: "fills", on: ["lesson", "up"] },
  { name: "disk-small", disk: "small", on: ["lesson", "up"] },
]
