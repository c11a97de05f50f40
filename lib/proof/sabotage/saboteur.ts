import { readFile } from "node:fs/promises"
import { basename, join } from "node:path"
import type { ToolName } from "../../binaries/versions.ts"
import { silentProgress } from "../../base/progress-silent.ts"
import { prepareArtifacts } from "../../clusters/artifacts.ts"
import { specs } from "../../components/registry.ts"
import type { Component } from "../../components/component.ts"
import type { Interference } from "../../curriculum/interference.ts"
import { RemediedError } from "../../base/errors.ts"
import type { Machine } from "../../machines/machine.ts"
import { isMachineName, type Network } from "../../machines/network.ts"
import { packageRoot, type Settings } from "../../base/settings.ts"
import { bring } from "./brought.ts"
import { isLeftOut } from "./left-out.ts"
import type { Sabotage } from "./sabotage.ts"

/** The script of a sabotage failed, so the sabotage proves nothing. */
export class SabotageFailedError extends RemediedError {}

/** Carries out one sabotage on the machine of the lessons. */
export class Saboteur implements Interference {
  readonly #sabotage: Sabotage
  readonly #settings: Settings
  /** The machine on which it happens. A further machine is started when the sabotage happens. */
  #machine: (() => Promise<Machine>) | undefined

  constructor(sabotage: Sabotage, settings: Settings) {
    this.#sabotage = sabotage
    this.#settings = settings
  }

  alter(component: Component, machine: string): Component {
    const { on } = this.#sabotage
    if (on === undefined ? isMachineName(machine) : machine !== on) return component
    return this.#sabotage.component?.[component.name]?.(component) ?? component
  }

  async atStart(machine: Machine, network?: Network): Promise<void> {
    const { on } = this.#sabotage
    this.#machine = async () => (on === undefined || network === undefined ? machine : network.machine(on))
    if (this.#sabotage.brings !== undefined) await bring(await this.#machine(), this.#sabotage.brings, this.#settings)
    if (this.#sabotage.before === undefined) await this.#act()
  }

  leavesOut(outcome: string): boolean {
    return isLeftOut(this.#sabotage, outcome)
  }

  async before(outcome: string): Promise<void> {
    const { before } = this.#sabotage
    if (before !== undefined && outcome.startsWith(before)) await this.#act()
  }

  /** Puts a program of the project into the first folder of PATH. */
  async #bringTool(machine: Machine, tool: ToolName): Promise<void> {
    const owners = specs.filter(({ tools }) => tools.includes(tool)).map(({ name }) => name)
    const { binds } = await prepareArtifacts(owners, this.#settings, silentProgress)
    const source = binds.find(({ target }) => basename(target) === tool)?.source
    if (source === undefined) throw new TypeError(`no component has the tool ${tool}`)
    await machine.write(`/usr/local/sbin/${tool}`, await readFile(source), 0o755)
  }

  async #act(): Promise<void> {
    const { id, script, sends, tool } = this.#sabotage
    const machine = await this.#machine?.()
    if (script === undefined || machine === undefined) return
    if (tool !== undefined) await this.#bringTool(machine, tool)
    if (sends !== undefined)
      await machine.write(`/tmp/${sends}`, await readFile(join(packageRoot, "dist", "proof", "sabotage", sends)))
    const { exitCode, stdout, stderr } = await machine.run(["sh", "-ec", script])
    if (exitCode !== 0)
      throw new SabotageFailedError(
        `The script of the sabotage ${id} ended with status ${exitCode}: ${stderr.trim() || stdout.trim()}.`,
        "Correct the script.",
      )
  }
}
