import { dependenciesOf, type ComponentName } from "../components/registry.ts"

/** How long components may still end because another one had ended, after that one is ready again (milliseconds). */
const AFTERMATH = 30_000

/**
 * Which components are down, or were down a moment ago, because a lesson ended them or because they have ended
 * themselves. A component that depends on one of them may end too: kube-scheduler does when it cannot renew its lease.
 */
export class Disturbances {
  /** Components that have ended. They are not ready now, or `#ready` holds since when they are again. */
  readonly #ended = new Set<ComponentName>()
  /** Since when each component that runs has been ready (performance.now()). */
  readonly #ready = new Map<ComponentName, number>()

  /** Notes that a component ends. */
  ends(name: ComponentName): void {
    this.#ended.add(name)
    this.#ready.delete(name)
  }

  /** Notes that a component is ready. */
  isReady(name: ComponentName): void {
    this.#ready.set(name, performance.now())
  }

  /**
   * Whether the end of a component can be a consequence of the end of another one. It is not if the component became
   * ready later than the other one was ready again. It must be called before `ends`.
   */
  excuses(name: ComponentName): boolean {
    const own = this.#ready.get(name) ?? 0
    return dependenciesOf([name]).some((other) => {
      if (other.name === name || !this.#ended.has(other.name)) return false
      const ready = this.#ready.get(other.name)
      return ready === undefined || (own < ready && performance.now() - ready < AFTERMATH)
    })
  }
}
