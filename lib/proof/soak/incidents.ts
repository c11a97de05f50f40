import type { ProcessRole } from "./victims.ts"

/** What can happen to a run. */
export interface Incident {
  readonly name: string
  /** The processes that get SIGKILL, all at the same moment. */
  readonly kills?: readonly ProcessRole[]
  /** How often Ctrl-C is pressed: SIGINT for the whole process group, as a terminal does. */
  readonly interrupts?: number
  /** The run's file system: too small from the start, or full from one moment on. */
  readonly disk?: "small" | "fills"
  /** The targets that it can happen to; all by default. */
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
  { name: "all", kills: ["runner", "worker", "supervisor", "launcher", "machine", "component"] },
  { name: "ctrl-c", interrupts: 1 },
  { name: "ctrl-c-twice", interrupts: 2 },
  { name: "disk-fills", disk: "fills", on: ["lesson", "up"] },
  { name: "disk-small", disk: "small", on: ["lesson", "up"] },
]
