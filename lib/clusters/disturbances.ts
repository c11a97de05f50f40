import { dependenciesOf, type ComponentName } from "../components/registry.ts"

/** How long components may still end because another one had ended, after that one is ready again (milliseconds). */
const AFTERMATH = 30_000

/**
 * Which components are down, or were down a moment ago, because a lesson ended them or because they have ended
 * themselves. A component that depends on one of them may end too: kube-scheduler does when it cannot renew its lease.
 */
export class Disturbances {
  /** When each component was ready again (performance.now()); undefined while it is down. */
  readonly #ends = new Map<ComponentName, number | undefined>()

  /** Notes that a component ends. */
  ends(name: ComponentName): void {
    this.#ends.set(name, undefined)
  }

  /** Notes that a component is ready. */
  isReady(name: ComponentName): void {
    if (this.#ends.has(name)) this.#ends.set(name, performance.now())
  }

  /** Whether the end of a component can be a consequence of the end of another one. */
  excuses(name: ComponentName): boolean {
    return dependenciesOf([name]).some((other) => {
      if (other.name === name || !this.#ends.has(other.name)) return false
      const ready = this.#ends.get(other.name)
      return ready === undefined || performance.now() - ready < AFTERMATH
    })
  }
}
