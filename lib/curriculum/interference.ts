import type { Component } from "../components/component.ts"
import type { Machine } from "../machines/machine.ts"
import type { Network } from "../machines/network.ts"

/**
 * Breaks one thing on purpose while lessons run. lib/proof implements it. Production code only calls an interference
 * that was registered or passed to it.
 */
export interface Interference {
  /** Returns the component that is started on a machine instead of the given one. */
  alter(component: Component, machine: string): Component
  /** Called once, when the first machine runs and nothing else runs on it. */
  atStart(machine: Machine, network?: Network): Promise<void>
  /**
   * Whether an outcome is left out, because it ends before anything is broken.
   * @param outcome as for `before`
   */
  leavesOut(outcome: string): boolean
  /**
   * Called just before the body of each outcome.
   * @param outcome the lesson's number and the outcome's title, as in "03 a ConfigMap that kubectl creates …"
   */
  before(outcome: string): Promise<void>
}

let registered: Interference | undefined

/**
 * Makes the lessons of this process use an interference. A setup file of vitest calls it; the last call takes effect.
 */
export function registerInterference(interference: Interference): void {
  registered = interference
}

/** The interference that was registered in this process; undefined if none was. */
export function registeredInterference(): Interference | undefined {
  return registered
}
