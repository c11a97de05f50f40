import type { Machine } from "../machines/machine.ts"
import type { Network } from "../machines/network.ts"

/**
 * The parts of a cluster on further machines. Each is opened when it is needed, and again when its machine has ended.
 */
export class Further<Part extends { readonly machine: Machine }> {
  readonly #network: Network | undefined
  readonly #open: (machine: Machine, network: Network) => Promise<Part>
  readonly #known = new Map<string, { readonly machine: Machine; readonly part: Promise<Part> }>()

  /**
   * @param network the machines of the run; undefined if there is only one
   * @param open opens the part on a machine; it can end the machine and take another of the same name
   */
  constructor(network: Network | undefined, open: (machine: Machine, network: Network) => Promise<Part>) {
    this.#network = network
    this.#open = open
  }

  /** The part on the machine of this name. @throws TypeError if the run has only one machine */
  async on(name: string): Promise<Part> {
    if (this.#network === undefined) throw new TypeError("This cluster has only one machine.")
    const machine = await this.#network.machine(name)
    const known = this.#known.get(name)
    if (known?.machine === machine) return known.part
    const part = this.#open(machine, this.#network)
    this.#known.set(name, { machine, part })
    const opened = await part
    this.#known.set(name, { machine: opened.machine, part })
    return opened
  }
}
